// Package toolchain builds the programs of the local cloud from Go modules, each once, into a cache that outlives the
// work tree. One folder beside this file is one tool: a Go module that pins its version.
package toolchain

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
)

// Builder builds tools into a cache.
type Builder struct {
	// Source is the folder of the local module.
	Source string
	// Cache is the folder that holds every build, one subfolder a tool and key.
	Cache string
}

// Binary returns the path of a binary, and builds its tool first where the cache lacks it.
func (b Builder) Binary(ctx context.Context, name string) (string, error) {
	tool, err := Find(name)
	if err != nil {
		return "", err
	}
	dir, err := b.Ensure(ctx, tool)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, name), nil
}

// Cached returns the folder of a tool's binaries and whether it is built.
func (b Builder) Cached(tool Tool) (dir string, built bool, err error) {
	key, err := b.key(tool)
	if err != nil {
		return "", false, fmt.Errorf("key tool %s: %w", tool.Name, err)
	}
	dir = filepath.Join(b.Cache, "tools", tool.Name, key, "bin")
	_, err = os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, false, nil
	}
	return dir, err == nil, err
}

// Ensure builds a tool unless it is in the cache, and returns the folder of its binaries. The folder appears by one
// rename, so that a build that was killed leaves nothing that looks whole.
func (b Builder) Ensure(ctx context.Context, tool Tool) (string, error) {
	dir, built, err := b.Cached(tool)
	if err != nil || built {
		return dir, err
	}
	final := filepath.Dir(dir)
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return "", fmt.Errorf("make tool folder: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(final), ".building-")
	if err != nil {
		return "", fmt.Errorf("make build folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if err := b.build(ctx, tool, filepath.Join(tmp, "bin")); err != nil {
		return "", err
	}
	if err := b.CopyAssets(ctx, tool, filepath.Join(tmp, "assets")); err != nil {
		return "", err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", fmt.Errorf("open build folder: %w", err)
	}
	if err := os.Rename(tmp, final); err != nil {
		return "", fmt.Errorf("publish tool %s: %w", tool.Name, err)
	}
	return dir, nil
}

func (b Builder) build(ctx context.Context, tool Tool, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("make build folder: %w", err)
	}
	args := []string{
		"build", "-o", out + "/",
		"-ldflags", strings.TrimSpace("-s -w " + tool.LDFlags), "-tags", strings.Join(tool.Tags, ","),
	}
	dir := filepath.Join(b.Source, tool.Dir)
	if len(tool.Blank) > 0 {
		folder, err := os.MkdirTemp("", "toolchain-")
		if err != nil {
			return fmt.Errorf("make source folder: %w", err)
		}
		defer func() { _ = os.RemoveAll(folder) }()
		if err := b.patch(ctx, tool, folder); err != nil {
			return err
		}
		dir = folder
	}
	cmd := exec.CommandContext(ctx, "go", append(args, tool.Package)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -buildvcs=false", "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build tool %s: %w\n%s", tool.Name, err, tail(output, 4000))
	}
	return link(tool, out)
}

// CopyAssets copies the assets of a tool into the folder out, which it makes.
func (b Builder) CopyAssets(ctx context.Context, tool Tool, out string) error {
	if len(tool.Assets) == 0 {
		return nil
	}
	dir, err := b.moduleDir(ctx, tool)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("make assets folder: %w", err)
	}
	for _, pattern := range tool.Assets {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) == 0 {
			return fmt.Errorf("find asset %s of %s: %w", pattern, tool.Name, cmp.Or(err, fs.ErrNotExist))
		}
		for _, asset := range found {
			content, err := os.ReadFile(asset)
			if err != nil {
				return fmt.Errorf("read asset: %w", err)
			}
			if err := os.WriteFile(filepath.Join(out, filepath.Base(asset)), content, 0o644); err != nil {
				return fmt.Errorf("write asset: %w", err)
			}
		}
	}
	return nil
}

// link gives a build of one file the names that the tool answers to.
func link(tool Tool, out string) error {
	files, err := os.ReadDir(out)
	if err != nil {
		return fmt.Errorf("read build of %s: %w", tool.Name, err)
	}
	for _, binary := range tool.Binaries {
		path := filepath.Join(out, binary)
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		if len(files) != 1 {
			return fmt.Errorf("build tool %s: no file for %s among %d", tool.Name, binary, len(files))
		}
		if err := os.Symlink(files[0].Name(), path); err != nil {
			return fmt.Errorf("link %s: %w", binary, err)
		}
	}
	return nil
}

// key is a hash over what a build depends on: the sources, the flags, the compiler.
func (b Builder) key(tool Tool) (string, error) {
	h := sha256.New()
	definition := []string{runtime.Version(), runtime.GOARCH, tool.Package, tool.LDFlags}
	_, _ = fmt.Fprintln(h, strings.Join(slices.Concat(definition, tool.Tags, tool.Blank), " "))
	files, err := b.inputs(tool)
	if err != nil {
		return "", err
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(b.Source, file))
		if err != nil {
			return "", fmt.Errorf("read input: %w", err)
		}
		_, _ = fmt.Fprintf(h, "%s %d\n", file, len(content))
		_, _ = h.Write(content)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

func (b Builder) inputs(tool Tool) ([]string, error) {
	files := []string{filepath.Join(tool.Dir, "go.mod"), filepath.Join(tool.Dir, "go.sum")}
	dirs := tool.Sources
	if tool.Dir != "." {
		dirs = []string{tool.Dir}
	}
	source := os.DirFS(b.Source)
	for _, dir := range dirs {
		err := fs.WalkDir(source, dir, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("walk %s: %w", dir, err)
		}
	}
	sort.Strings(files)
	return files, nil
}

func tail(b []byte, n int) string {
	if len(b) > n {
		return "…" + string(b[len(b)-n:])
	}
	return string(b)
}
