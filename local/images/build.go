package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"golang.org/x/sys/unix"
)

// Build returns the folder of img's OCI layout, making it first when the cache does not have it. A layout
// appears in the cache as a whole or not at all, and two processes that want the same image build it once.
func Build(ctx context.Context, img Image, opts Options) (string, error) {
	basePath := ""
	if img.base != "" {
		var err error
		if basePath, err = Build(ctx, byName(img.base), opts); err != nil {
			return "", err
		}
	}
	key, err := img.key(ctx, opts, filepath.Base(basePath))
	if err != nil {
		return "", fmt.Errorf("key image %s: %w", img.Name, err)
	}
	final := filepath.Join(opts.dir(img.Name), key)
	if exists(final) {
		return final, nil
	}
	unlock, err := lock(ctx, opts, img.Name)
	if err != nil {
		return "", fmt.Errorf("lock image %s: %w", img.Name, err)
	}
	defer unlock()
	if exists(final) {
		return final, nil
	}
	if err := img.make(ctx, opts, basePath, final); err != nil {
		return "", fmt.Errorf("build image %s: %w", img.Name, err)
	}
	return final, nil
}

// make builds into a folder of its own beside final, and renames.
func (img Image) make(ctx context.Context, opts Options, basePath, final string) (err error) {
	start := time.Now()
	opts.say("image " + img.Name + ": building")
	if err := removeLeftovers(opts.dir(img.Name)); err != nil {
		return err
	}
	work, err := os.MkdirTemp(opts.dir(img.Name), workPrefix)
	if err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	image, err := img.assemble(ctx, opts, basePath, work)
	if err != nil {
		return err
	}
	if err := publish(image, filepath.Join(work, "layout"), final); err != nil {
		return err
	}
	opts.say(fmt.Sprintf("image %s: built in %s", img.Name, time.Since(start).Round(time.Second)))
	return removeOld(opts.dir(img.Name))
}

// publish writes the layout, waits until it is on disk, and gives it its name.
func publish(image v1.Image, temporary, final string) error {
	if err := writeLayout(image, temporary); err != nil {
		return err
	}
	if err := syncDisk(temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, final); err != nil {
		return fmt.Errorf("publish layout: %w", err)
	}
	return nil
}

func syncDisk(folder string) error {
	handle, err := os.Open(folder)
	if err != nil {
		return fmt.Errorf("sync layout: %w", err)
	}
	defer handle.Close()
	if err := unix.Syncfs(int(handle.Fd())); err != nil {
		return fmt.Errorf("sync layout: %w", err)
	}
	return nil
}

const workPrefix = ".build-"

// removeLeftovers removes what killed builds left. The caller holds the lock.
func removeLeftovers(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("list leftovers: %w", err)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), workPrefix) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(folder, entry.Name())); err != nil {
			return fmt.Errorf("remove leftover: %w", err)
		}
	}
	return nil
}

// keptLayouts is how many layouts of one image stay in the cache.
const keptLayouts = 3

// removeOld removes all but the newest layouts.
func removeOld(folder string) error {
	layouts, err := filepath.Glob(filepath.Join(folder, "[0-9a-f]*", "index.json"))
	if err != nil {
		return fmt.Errorf("list layouts: %w", err)
	}
	made := map[string]time.Time{}
	for _, file := range layouts {
		info, err := os.Stat(file)
		if err != nil {
			return fmt.Errorf("list layouts: %w", err)
		}
		made[file] = info.ModTime()
	}
	slices.SortFunc(layouts, func(a, b string) int { return made[b].Compare(made[a]) })
	for _, file := range layouts[min(keptLayouts, len(layouts)):] {
		if err := os.RemoveAll(filepath.Dir(file)); err != nil {
			return fmt.Errorf("remove old layout: %w", err)
		}
	}
	return nil
}

// lock waits for the lock of an image's folder. The kernel gives it back when the holder dies.
func lock(ctx context.Context, opts Options, name string) (unlock func(), err error) {
	if err := os.MkdirAll(opts.dir(name), 0o755); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(opts.dir(name), ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for told := false; ; told = true {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if err != unix.EWOULDBLOCK {
			file.Close()
			return nil, fmt.Errorf("take lock: %w", err)
		}
		if !told {
			opts.say("image " + name + ": waiting for another build of it")
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
}

func exists(folder string) bool {
	_, err := layout.FromPath(folder)
	return err == nil
}
