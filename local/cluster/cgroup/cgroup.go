// Package cgroup makes and removes the control groups of nodes, in every hierarchy of the machine: one with cgroup
// version 2, one for each controller with version 1.
package cgroup

import (
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
)

const (
	mount         = "/sys/fs/cgroup"
	removeTimeout = 10 * time.Second
)

// roots are the hierarchies' mount points.
func roots() ([]string, error) {
	if v2() {
		return []string{mount}, nil
	}
	entries, err := os.ReadDir(mount)
	if err != nil {
		return nil, fmt.Errorf("list cgroup hierarchies: %w", err)
	}
	var dirs []string
	for _, e := range entries {
		dir := filepath.Join(mount, e.Name())
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil {
			dirs = append(dirs, dir)
		}
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("no cgroup hierarchy is mounted under %s", mount)
	}
	return dirs, nil
}

func v2() bool {
	_, err := os.Stat(filepath.Join(mount, "cgroup.controllers"))
	return err == nil
}

// Make makes a group and those above it, ready for a kubelet that takes it as its root.
func Make(path string) error {
	dirs, err := roots()
	if err != nil {
		return err
	}
	for _, root := range dirs {
		dir := root
		for _, name := range strings.Split(strings.Trim(path, "/"), "/") {
			if err := makeChild(dir, name); err != nil {
				return err
			}
			dir = filepath.Join(dir, name)
		}
		top, _, _ := strings.Cut(strings.Trim(path, "/"), "/")
		if _, err := weigh(filepath.Join(root, top), instanceWeight); err != nil {
			return err
		}
	}
	return nil
}

// Enter makes a group in an instance's and moves this process there, with all that it will start, where groups share
// processors.
func Enter(path string) error {
	if err := Make(path); err != nil {
		return err
	}
	dirs, err := roots()
	if err != nil {
		return err
	}
	for _, root := range dirs {
		dir := filepath.Join(root, path)
		weighed, err := weigh(dir, systemWeight)
		if err != nil {
			return err
		}
		if !weighed {
			continue
		}
		const self = "0"
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(self), 0o644); err != nil {
			return fmt.Errorf("enter cgroup: %w", err)
		}
	}
	return nil
}

// Weights, of which a session of the machine has one, and so has each node in its instance: without them, a build
// beside the cloud would starve its pods, and the pods their API server.
// https://docs.kernel.org/scheduler/sched-design-CFS.html
const (
	instanceWeight = 8
	systemWeight   = 4
)

// weightUnits are the files with a group's weight, and the kernel's default of each.
var weightUnits = map[string]int{"cpu.shares": 1024, "cpu.weight": 100}

// weigh sets the weight of a group, and returns whether its hierarchy has one.
func weigh(dir string, weight int) (weighed bool, err error) {
	for file, unit := range weightUnits {
		path := filepath.Join(dir, file)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.WriteFile(path, []byte(strconv.Itoa(weight*unit)), 0o644); err != nil {
			return false, fmt.Errorf("set %s: %w", file, err)
		}
		weighed = true
	}
	return weighed, nil
}

// makeChild makes one group. Version 2 hands controllers down on request; a new group of the version 1 cpuset
// hierarchy is unusable until it is given processors and memory.
func makeChild(parent, name string) error {
	if v2() {
		available, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
		if err != nil {
			return fmt.Errorf("read controllers: %w", err)
		}
		enable := "+" + strings.Join(strings.Fields(string(available)), " +")
		if err := os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte(enable), 0o644); err != nil {
			return fmt.Errorf("hand controllers down: %w", err)
		}
	}
	dir := filepath.Join(parent, name)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make cgroup: %w", err)
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if errors.Is(err, fs.ErrNotExist) || v2() {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
			return fmt.Errorf("set %s: %w", file, err)
		}
	}
	return nil
}

// Processes lists the processes in a group and in those below it. A group that does not exist has none.
func Processes(path string) ([]int, error) {
	var pids []int
	err := walk(path, func(dir string) error {
		content, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			return ignoreGone(err)
		}
		for _, field := range strings.Fields(string(content)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				return fmt.Errorf("read processes of %s: %w", dir, err)
			}
			if !slices.Contains(pids, pid) {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids, err
}

// Remove removes a group and those below it, which must hold no processes. A process that was killed a moment ago
// may still count, so it tries for a while.
func Remove(path string) error {
	deadline := time.Now().Add(removeTimeout)
	for {
		var dirs []string
		if err := walk(path, func(dir string) error { dirs = append(dirs, dir); return nil }); err != nil {
			return err
		}
		slices.Reverse(dirs)
		var errs []error
		for _, dir := range dirs {
			if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("remove cgroup %s: %w", dir, err))
			}
		}
		if len(errs) == 0 || time.Now().After(deadline) {
			return errors.Join(errs...)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// walk visits a group and those below it, parents first, in each hierarchy.
func walk(path string, visit func(dir string) error) error {
	dirs, err := roots()
	if err != nil {
		return err
	}
	for _, root := range dirs {
		err := filepath.WalkDir(filepath.Join(root, path), func(dir string, d fs.DirEntry, err error) error {
			if err != nil {
				return ignoreGone(err)
			}
			if !d.IsDir() {
				return nil
			}
			return visit(dir)
		})
		if err != nil {
			return fmt.Errorf("walk cgroups: %w", err)
		}
	}
	return nil
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}
