// Package backup makes logical backups of a database in a bucket, restores them into new databases and proves that
// what was restored is what was backed up.
//
// A backup is two objects: <prefix>/<id>/dump, an archive of pg_dump, and <prefix>/<id>/manifest.json.
package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
)

// cleanupTimeout bounds what is still done after the caller's context ended. It is below the 30 seconds that
// Kubernetes gives a pod to end.
const cleanupTimeout = 20 * time.Second

// Service makes, lists, restores and removes the backups of one database.
type Service struct {
	Source Source
	Target Target
	Store  Store
	// Prefix of the keys of all backups of the database.
	Prefix string
	// Retention is how long backups are kept; the newest one is kept for ever.
	Retention time.Duration
	// Version of this program, for manifests.
	Version string
	Log     *slog.Logger
}

// Create makes a backup, verifies it and then removes those that are too old. The manifest is valid if it has an id,
// even beside an error: then only the removal failed.
func (s *Service) Create(ctx context.Context) (Manifest, error) {
	started := time.Now()
	manifest := Manifest{
		Format: formatVersion, ID: newID(started), StartedAt: started.UTC(), AgentdVersion: s.Version,
	}
	log := s.Log.With("backup", manifest.ID)
	log.Info("backup started")
	if err := s.create(ctx, &manifest); err != nil {
		return Manifest{}, err
	}
	log.Info("backup complete", "size", manifest.Size, "sha256", manifest.SHA256, "tables", len(manifest.Tables),
		"rows", manifest.Rows(), "duration", time.Since(started).String())
	if err := s.prune(ctx, time.Now()); err != nil {
		return manifest, fmt.Errorf("backup %s is complete, but remove old ones: %w", manifest.ID, err)
	}
	return manifest, nil
}

func (s *Service) create(ctx context.Context, manifest *Manifest) error {
	uploaded, err := s.write(ctx, manifest)
	if err == nil {
		err = s.verify(ctx, *manifest)
	}
	if err == nil {
		manifest.FinishedAt = time.Now().UTC()
		err = s.publish(ctx, *manifest)
	}
	if err == nil || !uploaded {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	return errors.Join(err, s.remove(ctx, manifest.ID))
}

// write stores the archive and fills the manifest. It says whether there is an object now, also beside an error.
func (s *Service) write(ctx context.Context, manifest *Manifest) (uploaded bool, err error) {
	snapshot, err := s.Source.Snapshot(ctx)
	if err != nil {
		return false, fmt.Errorf("take snapshot: %w", err)
	}
	defer snapshot.Close()
	manifest.About = snapshot.About()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		tables, err := snapshot.Tables(ctx)
		if err != nil {
			return fmt.Errorf("measure tables: %w", err)
		}
		manifest.Tables = tables
		return nil
	})
	group.Go(func() error {
		archive, err := snapshot.Dump(ctx)
		if err != nil {
			return fmt.Errorf("start dump: %w", err)
		}
		defer archive.Close()
		meter := newMeter(archive)
		if err := s.Store.Put(ctx, s.dumpKey(manifest.ID), meter); err != nil {
			return fmt.Errorf("store dump: %w", err)
		}
		uploaded = true
		manifest.Size, manifest.SHA256 = meter.size, meter.sum()
		return nil
	})
	err = group.Wait()
	return uploaded, err
}

// verify reads the archive back.
func (s *Service) verify(ctx context.Context, manifest Manifest) error {
	archive, err := s.Store.Get(ctx, s.dumpKey(manifest.ID))
	if err != nil {
		return fmt.Errorf("open stored dump: %w", err)
	}
	defer archive.Close()
	meter := newMeter(archive)
	if _, err := io.Copy(io.Discard, meter); err != nil {
		return fmt.Errorf("read stored dump: %w", err)
	}
	return meter.compare(manifest)
}

func (s *Service) publish(ctx context.Context, manifest Manifest) error {
	encoded, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	if err := s.Store.Put(ctx, s.manifestKey(manifest.ID), bytes.NewReader(encoded)); err != nil {
		return fmt.Errorf("store manifest: %w", err)
	}
	return nil
}

// remove deletes the manifest first, so that what is left after a failure is not taken for a backup.
func (s *Service) remove(ctx context.Context, id string) error {
	for _, key := range []string{s.manifestKey(id), s.dumpKey(id)} {
		if err := s.Store.Delete(ctx, key); err != nil {
			return fmt.Errorf("delete %s: %w", key, err)
		}
	}
	return nil
}
