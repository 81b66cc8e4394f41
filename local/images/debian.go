package images

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	suite   = "trixie"
	mirror  = "http://deb.debian.org/debian"
	keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
)

//go:embed debian/*.sh postgresql/*.sh pgbouncer/*.sh redis/*.sh redis-exporter/*.sh golang/*.sh envoy/*.sh
var scripts embed.FS

func readScript(path string) string {
	text, err := scripts.ReadFile(path)
	if err != nil {
		panic(err) // the file is embedded
	}
	return string(text)
}

// debootstrap makes the smallest Debian that has apt, without documentation and translations.
type debootstrap struct{}

func (debootstrap) inputs(context.Context, Options) ([]string, error) {
	return []string{suite, mirror, readScript("debian/build.sh"), readScript("debian/check.sh")}, nil
}

func (debootstrap) fill(ctx context.Context, root string, _ Options) error {
	if _, err := exec.LookPath("debootstrap"); err != nil {
		return fmt.Errorf("%w: install it with apt-get install debootstrap", err)
	}
	if _, err := os.Stat(keyring); err != nil {
		return fmt.Errorf("%w: install it with apt-get install debian-archive-keyring", err)
	}
	_, err := contained(ctx, "/proc",
		"debootstrap", "--variant=minbase", "--keyring="+keyring, suite, root, mirror)
	if err != nil {
		return fmt.Errorf("run debootstrap: %w", err)
	}
	if err := prepareRoot(root); err != nil {
		return err
	}
	if _, err := inRoot(ctx, root, readScript("debian/build.sh")); err != nil {
		return fmt.Errorf("run debian/build.sh: %w", err)
	}
	return nil
}

func (debootstrap) check(ctx context.Context, root string, _ Options) error {
	return runCheck(ctx, root, "debian")
}

// script runs <folder>/build.sh on top of Debian, and <folder>/check.sh to prove the result.
type script struct{ folder string }

func (s script) inputs(context.Context, Options) ([]string, error) {
	return []string{s.text(), readScript(s.folder + "/check.sh")}, nil
}

func (s script) fill(ctx context.Context, root string, _ Options) error {
	if err := prepareRoot(root); err != nil {
		return err
	}
	if _, err := inRoot(ctx, root, s.text()); err != nil {
		return fmt.Errorf("run %s/build.sh: %w", s.folder, err)
	}
	return nil
}

func (s script) check(ctx context.Context, root string, _ Options) error {
	return runCheck(ctx, root, s.folder)
}

func (s script) text() string {
	return readScript("debian/install.sh") + readScript(s.folder+"/build.sh") + readScript("debian/clean.sh")
}

func runCheck(ctx context.Context, root, folder string) error {
	if _, err := inRoot(ctx, root, readScript(folder+"/check.sh")); err != nil {
		return fmt.Errorf("run %s/check.sh: %w", folder, err)
	}
	return nil
}

// prepareRoot gives root the devices and the name resolution that programs in it need while it is filled.
// None of it becomes part of a layer.
func prepareRoot(root string) error {
	for _, name := range []string{"resolv.conf", "hosts"} {
		text, err := os.ReadFile("/etc/" + name)
		if err != nil {
			return fmt.Errorf("read name resolution: %w", err)
		}
		if err := os.WriteFile(filepath.Join(root, "etc", name), text, 0o644); err != nil {
			return fmt.Errorf("write name resolution: %w", err)
		}
	}
	devices := map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
	for name, minor := range devices {
		path := filepath.Join(root, "dev", name)
		err := unix.Mknod(path, syscall.S_IFCHR|0o666, int(unix.Mkdev(1, minor)))
		if err != nil && err != unix.EEXIST {
			return fmt.Errorf("make device %s: %w", path, err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return fmt.Errorf("make device: %w", err)
		}
	}
	shm := filepath.Join(root, "dev", "shm")
	if err := os.MkdirAll(shm, 0o755); err != nil {
		return fmt.Errorf("make shared memory directory: %w", err)
	}
	return os.Chmod(shm, 0o777|os.ModeSticky)
}
