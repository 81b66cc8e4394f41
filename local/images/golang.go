package images

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const caBundle = "etc/ssl/certs/ca-certificates.crt"

// goToolchain installs Go from the module that the go command itself downloads toolchains from, verified by
// the checksum database, and the certificates that this machine trusts.
type goToolchain struct{ version string }

func (g goToolchain) inputs(context.Context, Options) ([]string, error) {
	bundle, err := digest("/" + caBundle)
	if err != nil {
		return nil, fmt.Errorf("%w: install it with apt-get install ca-certificates", err)
	}
	return []string{g.version, bundle, readScript("golang/check.sh")}, nil
}

func (g goToolchain) fill(ctx context.Context, root string, _ Options) error {
	module, err := g.download(ctx)
	if err != nil {
		return err
	}
	if err := installToolchain(module, filepath.Join(root, "usr/local/go")); err != nil {
		return fmt.Errorf("install Go: %w", err)
	}
	for _, folder := range []string{"go", "go/bin", "go/src"} {
		path := filepath.Join(root, folder)
		if err := os.Mkdir(path, 0o755); err != nil {
			return fmt.Errorf("make GOPATH: %w", err)
		}
		if err := os.Chmod(path, fs.ModeSticky|0o777); err != nil {
			return fmt.Errorf("make GOPATH: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Join(root, filepath.Dir(caBundle)), 0o755); err != nil {
		return fmt.Errorf("make certificate folder: %w", err)
	}
	if err := copyFile("/"+caBundle, filepath.Join(root, caBundle), 0o644); err != nil {
		return err
	}
	return prepareRoot(root)
}

func (g goToolchain) check(ctx context.Context, root string, _ Options) error {
	return runCheck(ctx, root, "golang")
}

func (g goToolchain) download(ctx context.Context) (string, error) {
	module := fmt.Sprintf("golang.org/toolchain@v0.0.1-go%s.linux-%s", g.version, architecture)
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	command.Dir = os.TempDir()
	command.Env = append(os.Environ(), "GOFLAGS=", "GOTOOLCHAIN=local", "GO111MODULE=on")
	out, err := command.Output()
	var result struct{ Dir, Error string }
	if json.Unmarshal(out, &result) == nil && result.Error != "" {
		return "", fmt.Errorf("download %s: %s", module, result.Error)
	}
	if err != nil {
		return "", fmt.Errorf("download %s: %w", module, err)
	}
	return result.Dir, nil
}

// installToolchain copies the module and undoes what module zips cannot hold: executable bits and go.mod
// files.
func installToolchain(module, target string) error {
	return filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(module, path)
		if err != nil {
			return err
		}
		destination := filepath.Join(target, relative)
		if entry.IsDir() {
			if err := os.MkdirAll(destination, 0o755); err != nil {
				return err
			}
			return os.Chmod(destination, 0o755)
		}
		if entry.Name() == "go.mod" {
			return nil // the go command left it there on first use; _go.mod is the original
		}
		if entry.Name() == "_go.mod" {
			destination = filepath.Join(filepath.Dir(destination), "go.mod")
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(relative, "bin/") || strings.HasPrefix(relative, "pkg/tool/") {
			mode = 0o755
		}
		return copyFile(path, destination, mode)
	})
}
