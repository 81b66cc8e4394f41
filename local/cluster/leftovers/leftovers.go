// Package leftovers removes what the processes of an instance leave on the machine when they end, in whatever way:
// processes, mounts, namespaces, links, routes and cgroups. It touches no file of the instance.
package leftovers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"agentstack/local/cluster/cgroup"
	"agentstack/local/cluster/network"
	"agentstack/local/cluster/supervisor"
	"agentstack/local/cluster/topology"
)

// killTimeout is how long killed processes may take to be gone: those in the middle of a disk write take a while.
const killTimeout = 30 * time.Second

// Execute removes the leftovers of an instance whose supervisor does not run.
func Execute(ctx context.Context, i topology.Instance) error {
	if err := killAll(ctx, i); err != nil {
		return err
	}
	return errors.Join(unmount(i.Dir), network.Remove(ctx, i), cgroup.Remove(i.Cgroup()))
}

// killAll kills the instance's own processes, which carry its folder in their environment, and those of its
// containers, which are in its cgroups.
func killAll(ctx context.Context, i topology.Instance) error {
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	for {
		own, err := processesOf(i.Dir)
		if err != nil {
			return err
		}
		contained, err := cgroup.Processes(i.Cgroup())
		if err != nil {
			return err
		}
		pids := append(own, contained...)
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill process %d: %w", pid, err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes %v do not die: %w", pids, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func processesOf(dir string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	want := supervisor.InstanceEnv + "=" + dir
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		// A process that ended meanwhile, or a zombie, has no environment.
		environ, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err == nil && slices.Contains(strings.Split(string(environ), "\x00"), want) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// unmount removes every mount in the instance's folder, the innermost first.
func unmount(dir string) error {
	mounts, err := MountsUnder(dir)
	if err != nil {
		return err
	}
	slices.Reverse(mounts)
	var errs []error
	for _, path := range mounts {
		// Lazily: a mount that is busy leaves the tree now and ends with its last user.
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

// MountsUnder lists the mount points in a folder, in the order in which they were made.
func MountsUnder(dir string) ([]string, error) {
	content, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var paths []string
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if path := unescape.Replace(fields[4]); strings.HasPrefix(path, dir+"/") {
			paths = append(paths, path)
		}
	}
	return paths, nil
}
