package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

const (
	hostPrefix = "host-"
	// hostFormat changes when the same image must give other programs.
	hostFormat = "1-"
	library    = "usr/lib/x86_64-linux-gnu"
)

var (
	// onHost is what PostgreSQL needs of its image, without Python and the Barman tools.
	onHost = []string{library, "usr/lib64", "usr/lib/postgresql", "usr/share/postgresql"}
	// hostPrograms are those that tests start.
	hostPrograms = []string{"initdb", "pg_ctl", "pg_dump", "pg_dumpall", "pg_restore", "postgres", "psql"}
)

// PostgreSQLOnHost returns a folder in which the programs of the local cloud's own PostgreSQL, in
// usr/lib/postgresql/17/bin, run on this machine, whatever its own Debian has: tests run against the version and the
// extensions that are deployed. It builds the image first when the cache does not have it. A changed image gives
// another folder; a folder appears as a whole or not at all.
func PostgreSQLOnHost(ctx context.Context, opts Options) (string, error) {
	img := postgreSQL()
	layout, err := Build(ctx, img, opts)
	if err != nil {
		return "", err
	}
	image, err := Open(layout)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(opts.dir(img.Name), hostPrefix+hostFormat+filepath.Base(layout))
	if err := unpackOnce(ctx, opts, img.Name, image, folder); err != nil {
		return "", fmt.Errorf("unpack PostgreSQL for this machine: %w", err)
	}
	return folder, nil
}

func unpackOnce(ctx context.Context, opts Options, name string, image v1.Image, final string) (err error) {
	if folderExists(final) {
		return nil
	}
	unlock, err := lock(ctx, opts, name)
	if err != nil {
		return fmt.Errorf("take lock: %w", err)
	}
	defer unlock()
	if folderExists(final) {
		return nil
	}
	if err := removeLeftovers(opts.dir(name)); err != nil {
		return err
	}
	work, err := os.MkdirTemp(opts.dir(name), workPrefix)
	if err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	root := filepath.Join(work, "root")
	// Tests start PostgreSQL as a user without rights, whatever the umask here.
	if err := errors.Join(os.Mkdir(root, 0o755), os.Chmod(root, 0o755)); err != nil {
		return fmt.Errorf("make root: %w", err)
	}
	if err := extract(ctx, image, root); err != nil {
		return err
	}
	if err := relocate(ctx, root, final); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(opts.dir(name), hostPrefix+"*"))
	if err != nil {
		return fmt.Errorf("list old folders: %w", err)
	}
	if err := os.Rename(root, final); err != nil {
		return fmt.Errorf("publish folder: %w", err)
	}
	for _, folder := range old {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	return err
}

func folderExists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// extract writes what onHost names of an image's files into root.
func extract(ctx context.Context, image v1.Image, root string) error {
	files := mutate.Extract(image)
	defer func() { _ = files.Close() }()
	tar := exec.CommandContext(ctx, "tar", append([]string{"-x", "--no-same-owner", "-C", root}, onHost...)...)
	tar.Stdin = files
	if output, err := tar.CombinedOutput(); err != nil {
		return fmt.Errorf("run tar: %w: %s", err, lastLines(string(output)))
	}
	return nil
}

// relocate makes the programs in root use the loader and the libraries beside them, once root is named final.
func relocate(ctx context.Context, root, final string) error {
	for _, name := range hostPrograms {
		found, err := filepath.Glob(filepath.Join(root, "usr/lib/postgresql/*/bin", name))
		if err != nil || len(found) != 1 {
			return fmt.Errorf("find %s in the image: found %d", name, len(found))
		}
		patch := exec.CommandContext(ctx, "patchelf", "--force-rpath", "--set-rpath", filepath.Join(final, library),
			"--set-interpreter", filepath.Join(final, "usr/lib64/ld-linux-x86-64.so.2"), found[0])
		output, err := patch.CombinedOutput()
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("%w: install it with apt-get install patchelf", err)
		}
		if err != nil {
			return fmt.Errorf("run patchelf on %s: %w: %s", name, err, strings.TrimSpace(string(output)))
		}
	}
	return nil
}
