package images

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// binary is an image of one static binary and nothing else.
type binary struct {
	name, path string
	// links maps symbolic links to their targets, relative to the root.
	links map[string]string
	// bindsLowPorts gives the file the capability to listen below port 1024 when the container has it.
	bindsLowPorts bool
	// probe are arguments with which the binary proves that it runs, and ends.
	probe []string
}

func (b binary) inputs(_ context.Context, opts Options) ([]string, error) {
	source, err := b.source(opts)
	if err != nil {
		return nil, err
	}
	sum, err := digest(source)
	if err != nil {
		return nil, err
	}
	return []string{sum, fmt.Sprintf("%+v", b)}, nil
}

func (b binary) fill(_ context.Context, root string, opts Options) error {
	source, err := b.source(opts)
	if err != nil {
		return err
	}
	return b.install(source, root)
}

func (b binary) source(opts Options) (string, error) {
	if opts.Binary == nil {
		return "", fmt.Errorf("find binary %s: Options.Binary is not set", b.name)
	}
	path, err := opts.Binary(b.name)
	if err != nil {
		return "", fmt.Errorf("find binary %s: %w", b.name, err)
	}
	return path, nil
}

func (b binary) install(source, root string) error {
	target := filepath.Join(root, b.path)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := copyFile(source, target, 0o755); err != nil {
		return err
	}
	if b.bindsLowPorts {
		if err := unix.Setxattr(target, capabilityXattr, netBindService(), 0); err != nil {
			return fmt.Errorf("set capability of %s: %w", target, err)
		}
	}
	for link, to := range b.links {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			return fmt.Errorf("make link: %w", err)
		}
	}
	return nil
}

func (b binary) check(ctx context.Context, root string, _ Options) error {
	command := append([]string{"chroot", root, "/" + b.path}, b.probe...)
	if err := os.MkdirAll(filepath.Join(root, "proc"), 0o755); err != nil {
		return fmt.Errorf("make proc: %w", err)
	}
	if _, err := contained(ctx, filepath.Join(root, "proc"), command...); err != nil {
		return fmt.Errorf("run %s: %w", b.path, err)
	}
	return nil
}

// binaries is an image of several static binaries.
type binaries []binary

func (all binaries) inputs(ctx context.Context, opts Options) ([]string, error) {
	var inputs []string
	for _, b := range all {
		more, err := b.inputs(ctx, opts)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, more...)
	}
	return inputs, nil
}

func (all binaries) fill(ctx context.Context, root string, opts Options) error {
	for _, b := range all {
		if err := b.fill(ctx, root, opts); err != nil {
			return err
		}
	}
	return nil
}

func (all binaries) check(ctx context.Context, root string, opts Options) error {
	for _, b := range all {
		if err := b.check(ctx, root, opts); err != nil {
			return err
		}
	}
	return nil
}

// netBindService is the extended attribute that setcap cap_net_bind_service=+ep writes: revision 2 with the
// effective flag, then the permitted and inheritable sets, little-endian (linux/capability.h).
func netBindService() []byte {
	value := make([]byte, 20)
	value[0], value[3] = 0x01, 0x02
	value[5] = 1 << (unix.CAP_NET_BIND_SERVICE - 8)
	return value
}

//go:embed pause/main.go
var pauseSource []byte

// pauseProgram is the image of the program in the folder pause.
type pauseProgram struct{}

var pauseBinary = binary{name: "pause", path: "pause", probe: []string{"-v"}}

func (pauseProgram) inputs(context.Context, Options) ([]string, error) {
	return []string{string(pauseSource), runtime.Version(), fmt.Sprintf("%+v", pauseBinary)}, nil
}

func (pauseProgram) fill(ctx context.Context, root string, _ Options) (err error) {
	folder, err := os.MkdirTemp(filepath.Dir(root), "pause-")
	if err != nil {
		return fmt.Errorf("make build folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "main.go"), pauseSource, 0o644); err != nil {
		return fmt.Errorf("write source: %w", err)
	}
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", "pause", "main.go")
	command.Dir = folder
	command.Env = append(os.Environ(),
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture, "GOFLAGS=", "GOWORK=off")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("compile pause: %w\n%s", err, lastLines(string(out)))
	}
	return pauseBinary.install(filepath.Join(folder, "pause"), root)
}

func (pauseProgram) check(ctx context.Context, root string, opts Options) error {
	return pauseBinary.check(ctx, root, opts)
}

func digest(file string) (string, error) {
	in, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read input: %w", err)
	}
	defer in.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return "", fmt.Errorf("read input: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func copyFile(source, target string, mode fs.FileMode) error {
	in, err := os.Open(source)
	if err != nil {
		return fmt.Errorf("copy file: %w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return fmt.Errorf("copy file: %w", err)
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("copy file: %w", err)
	}
	if err := out.Chmod(mode); err != nil {
		return fmt.Errorf("copy file: %w", err)
	}
	return out.Close()
}
