// Package machine checks that the machine can carry a local cloud, and installs the Debian packages that it needs.
package machine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	// freeDisk is what a first run needs: 26 GiB for caches and builds, 8 GiB for an instance. Later ones need less.
	freeDisk      = 34 << 30
	freeDiskAgain = 6 << 30
	// memory is what the kernel reports on a machine sold with 8 GB.
	memory = 7 << 30
)

// pkg is a Debian package with a file that it brings.
type pkg struct{ name, file string }

// Packages is a set of Debian packages.
type Packages []pkg

// Cloud is what the local cloud runs on, and Tests what `make check` and `make test` need beside it.
var (
	Cloud = Packages{
		{"containerd", "/usr/bin/containerd"},
		{"runc", "/usr/sbin/runc"},
		{"docker.io", "/usr/sbin/dockerd"},
		{"iptables", "/usr/sbin/iptables"},
		{"nftables", "/usr/sbin/nft"},
		{"iproute2", "/usr/sbin/ip"},
		{"procps", "/usr/sbin/sysctl"},
		{"util-linux", "/usr/bin/nsenter"},
		{"debootstrap", "/usr/sbin/debootstrap"},
		{"ca-certificates", "/usr/sbin/update-ca-certificates"},
		{"python3-pip", "/usr/bin/pip"},
	}
	Tests = Packages{
		{"patchelf", "/usr/bin/patchelf"},
		{"pgbouncer", "/usr/sbin/pgbouncer"},
		{"nodejs", "/usr/bin/node"},
		{"npm", "/usr/bin/npm"},
		{"chromium", "/usr/bin/chromium"},
		{"redis-server", "/usr/bin/redis-server"},
		{"gcc", "/usr/bin/gcc"},
		{"libc6-dev", "/usr/include/stdlib.h"},
		{"shellcheck", "/usr/bin/shellcheck"},
		{"libnss-wrapper", "/usr/lib/x86_64-linux-gnu/libnss_wrapper.so"},
	}
)

// Check reports everything that keeps a local cloud from running on this machine, each in one line with the way out.
func Check(state, cache string) error {
	return errors.Join(checkDebian("/etc/os-release"), checkMemory(), checkDisk(state, cache))
}

func checkDebian(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("unsupported system: %w; use Debian 12 or later", err)
	}
	defer func() { _ = file.Close() }()
	fields := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok {
			fields[key] = strings.Trim(value, `"`)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if fields["ID"] != "debian" && !strings.Contains(fields["ID_LIKE"], "debian") {
		return fmt.Errorf("unsupported system %q: use Debian 12 or later, or your own cluster (README)", fields["ID"])
	}
	return nil
}

func checkMemory() error {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return fmt.Errorf("read memory size: %w", err)
	}
	if total := info.Totalram * uint64(info.Unit); total < memory {
		return fmt.Errorf("too little memory: %d MiB, 8 GiB needed; use a larger machine", total>>20)
	}
	return nil
}

func checkDisk(state, cache string) error {
	need := uint64(freeDisk)
	if built, err := filepath.Glob(filepath.Join(cache, "images", "postgresql", "*")); err == nil && len(built) > 0 {
		need = freeDiskAgain
	}
	var errs []error
	for _, dir := range []string{state, cache} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			errs = append(errs, fmt.Errorf("make %s: %w", dir, err))
			continue
		}
		var stat syscall.Statfs_t
		if err := syscall.Statfs(dir, &stat); err != nil {
			errs = append(errs, fmt.Errorf("read free disk of %s: %w", dir, err))
			continue
		}
		errs = append(errs, enough(dir, stat.Bavail*uint64(stat.Bsize), need))
	}
	return errors.Join(errs...)
}

func enough(dir string, free, need uint64) error {
	if free >= need {
		return nil
	}
	return fmt.Errorf("too little disk under %s: %d GiB free, %d GiB needed; free some, or point "+
		"AGENTSTACK_STATE and AGENTSTACK_CACHE elsewhere", dir, free>>30, need>>30)
}

// Install installs the packages that are missing, without starting the services that they bring.
func Install(ctx context.Context, packages Packages, say func(format string, args ...any)) error {
	var missing []string
	for _, p := range packages {
		if _, err := os.Stat(p.file); err != nil {
			missing = append(missing, p.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	restore, err := denyServiceStarts("/usr/sbin/policy-rc.d")
	if err != nil {
		return err
	}
	say("apt-get install %s", strings.Join(missing, " "))
	install := append([]string{"install", "-y", "--no-install-recommends"}, missing...)
	err = apt(ctx, install...)
	if err != nil {
		// The package lists may be missing or old.
		if err = apt(ctx, "update"); err == nil {
			err = apt(ctx, install...)
		}
	}
	return errors.Join(err, restore())
}

// denyServiceStarts keeps apt from starting services, unless the machine's owner has a policy already.
func denyServiceStarts(path string) (restore func() error, err error) {
	if _, err := os.Stat(path); err == nil {
		return func() error { return nil }, nil
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
		return nil, fmt.Errorf("keep services from starting: %w", err)
	}
	return func() error { return os.Remove(path) }, nil
}

func apt(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if output, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		return fmt.Errorf("run apt-get %s: %w: %s", strings.Join(args, " "), err,
			strings.Join(lines[max(0, len(lines)-5):], "; "))
	}
	return nil
}
