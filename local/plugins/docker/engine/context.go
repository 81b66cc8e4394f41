package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"
)

// ContextDigest is a hash of everything a build can read: the Dockerfile, and name, mode and content of
// every file of the context that .dockerignore does not exclude. Times and owners do not count.
func ContextDigest(ctx context.Context, contextDir, dockerfile string) (string, error) {
	excluded, err := ignorePatterns(contextDir, dockerfile)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	if err := addFile(sum, dockerfile, "Dockerfile", 0); err != nil {
		return "", fmt.Errorf("hash Dockerfile: %w", err)
	}
	visit := func(name string, info fs.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		return addFile(sum, filepath.Join(contextDir, name), name, info.Mode())
	}
	err = fsutil.Walk(ctx, contextDir, &fsutil.FilterOpt{ExcludePatterns: excluded}, visit)
	if err != nil {
		return "", fmt.Errorf("hash build context: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// addFile adds one file to the hash. A symbolic link counts by its target's name, a socket or a device by
// its kind.
func addFile(sum hash.Hash, file, name string, mode fs.FileMode) error {
	content := sha256.New()
	switch {
	case mode&fs.ModeSymlink != 0:
		target, err := os.Readlink(file)
		if err != nil {
			return err
		}
		content.Write([]byte(target))
	case mode.IsRegular():
		in, err := os.Open(file)
		if err != nil {
			return err
		}
		defer in.Close()
		if _, err := io.Copy(content, in); err != nil {
			return err
		}
	}
	sum.Write(fmt.Appendf(nil, "%s%s%s\x00", path.Clean(filepath.ToSlash(name)), mode, content.Sum(nil)))
	return nil
}

// ignorePatterns reads <Dockerfile>.dockerignore or, if there is none, the context's .dockerignore, as
// BuildKit does.
func ignorePatterns(contextDir, dockerfile string) ([]string, error) {
	for _, file := range []string{dockerfile + ".dockerignore", filepath.Join(contextDir, ".dockerignore")} {
		in, err := os.Open(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read ignore file: %w", err)
		}
		defer in.Close()
		patterns, err := ignorefile.ReadAll(in)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		return patterns, nil
	}
	return nil, nil
}

// CheckPaths returns what is wrong with a context and a Dockerfile, both relative to the working directory
// or absolute.
func CheckPaths(contextDir, dockerfile string) error {
	info, err := os.Stat(contextDir)
	if err != nil {
		return fmt.Errorf("open build context: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("build context %s is not a directory", contextDir)
	}
	_, err = os.Stat(dockerfile)
	if err == nil {
		return nil
	}
	inContext := filepath.Join(contextDir, dockerfile)
	if _, missing := os.Stat(inContext); missing == nil && !filepath.IsAbs(dockerfile) {
		return fmt.Errorf("open Dockerfile: %w: the path is relative to the program, not to the context: use %q",
			err, inContext)
	}
	return fmt.Errorf("open Dockerfile: %w", err)
}

// RelativeDockerfile is the Dockerfile's path seen from the context.
func RelativeDockerfile(contextDir, dockerfile string) (string, error) {
	root, err := filepath.Abs(contextDir)
	if err != nil {
		return "", fmt.Errorf("resolve build context: %w", err)
	}
	file, err := filepath.Abs(dockerfile)
	if err != nil {
		return "", fmt.Errorf("resolve Dockerfile: %w", err)
	}
	relative, err := filepath.Rel(root, file)
	if err != nil {
		return "", fmt.Errorf("resolve Dockerfile: %w", err)
	}
	return strings.TrimPrefix(filepath.ToSlash(relative), "./"), nil
}
