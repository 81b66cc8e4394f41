package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Latest stands for the id of the newest complete backup.
const Latest = "latest"

// leftoverAge is how long a backup without a manifest is left alone, since it may still be in the making.
const leftoverAge = 24 * time.Hour

// maxManifest bounds what is read of a manifest, in bytes.
const maxManifest = 64 << 20

// List returns the complete backups, oldest first. Those whose manifest cannot be read are missing from it and named
// in the error.
func (s *Service) List(ctx context.Context) ([]Manifest, error) {
	complete, _, err := s.ids(ctx)
	if err != nil {
		return nil, err
	}
	return s.load(ctx, complete)
}

func (s *Service) load(ctx context.Context, ids []string) ([]Manifest, error) {
	var manifests []Manifest
	var problems []error
	for _, id := range ids {
		manifest, err := s.manifest(ctx, id)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		manifests = append(manifests, manifest)
	}
	return manifests, errors.Join(problems...)
}

// find returns the manifest of a complete backup.
func (s *Service) find(ctx context.Context, id string) (Manifest, error) {
	complete, _, err := s.ids(ctx)
	if err != nil {
		return Manifest{}, err
	}
	if len(complete) == 0 {
		return Manifest{}, fmt.Errorf("there is no backup under %s: agentd backup makes one", s.Prefix)
	}
	if id == Latest {
		id = complete[len(complete)-1]
	}
	if !slices.Contains(complete, id) {
		return Manifest{}, fmt.Errorf("there is no backup %q: agentd backups lists them", id)
	}
	return s.manifest(ctx, id)
}

func (s *Service) manifest(ctx context.Context, id string) (Manifest, error) {
	object, err := s.Store.Get(ctx, s.manifestKey(id))
	if err != nil {
		return Manifest{}, fmt.Errorf("open manifest of backup %s: %w", id, err)
	}
	defer object.Close()
	encoded, err := io.ReadAll(io.LimitReader(object, maxManifest))
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest of backup %s: %w", id, err)
	}
	return decodeManifest(id, encoded)
}

// ids returns the ids of all backups, oldest first: the complete ones, and those without a manifest.
func (s *Service) ids(ctx context.Context) (complete, leftovers []string, err error) {
	keys, err := s.Store.List(ctx, s.Prefix+"/")
	if err != nil {
		return nil, nil, fmt.Errorf("list backups: %w", err)
	}
	found := map[string]bool{}
	for _, key := range keys {
		id, _, _ := strings.Cut(strings.TrimPrefix(key, s.Prefix+"/"), "/")
		if _, ok := startOf(id); ok {
			found[id] = found[id] || path.Base(key) == "manifest.json"
		}
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		if found[id] {
			complete = append(complete, id)
		} else {
			leftovers = append(leftovers, id)
		}
	}
	return complete, leftovers, nil
}

// prune removes backups that are too old and what is left of those that failed.
func (s *Service) prune(ctx context.Context, now time.Time) error {
	complete, leftovers, err := s.ids(ctx)
	if err != nil {
		return err
	}
	manifests, unreadable := s.load(ctx, complete)
	problems := []error{unreadable}
	for _, id := range append(expired(now, manifests, s.Retention), abandoned(now, leftovers)...) {
		err := s.remove(ctx, id)
		if err == nil {
			s.Log.Info("old backup removed", "backup", id)
		}
		problems = append(problems, err)
	}
	problems = append(problems, s.Store.DeleteUploads(ctx, s.Prefix+"/", now.Add(-leftoverAge)))
	return errors.Join(problems...)
}

// expired returns the complete backups to remove. Manifests are in the order of their ids.
func expired(now time.Time, manifests []Manifest, retention time.Duration) []string {
	var ids []string
	for i, manifest := range manifests {
		newest := i == len(manifests)-1
		if !newest && now.Sub(manifest.FinishedAt) > retention {
			ids = append(ids, manifest.ID)
		}
	}
	return ids
}

// abandoned returns the leftovers to remove.
func abandoned(now time.Time, leftovers []string) []string {
	var ids []string
	for _, id := range leftovers {
		if started, ok := startOf(id); ok && now.Sub(started) > leftoverAge {
			ids = append(ids, id)
		}
	}
	return ids
}
