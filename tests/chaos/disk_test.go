//go:build e2e

package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"agentstack/tests/cloud"
)

// diskReadOnly makes the kernel find an error in the file system, upon which it allows no more writes to it. The
// instance is of no use any more; somebody has to replace it.
func diskReadOnly(m *measurement) {
	device, err := exec.Command("findmnt", "-no", "SOURCE", m.disk.folder).Output()
	if err != nil {
		m.Fatal(err)
	}
	trigger := filepath.Join("/sys/fs/ext4", filepath.Base(strings.TrimSpace(string(device))), "trigger_fs_error")
	m.strike("making " + m.disk.folder + " of " + m.disk.instance + " read-only")
	if err := os.WriteFile(trigger, []byte("chaos"), 0); err != nil {
		m.Fatal(err)
	}
	took, err := cloud.Within(cloud.HealTimeout, "another instance is primary", func() error {
		now, err := cloud.Primary()
		if err == nil && now == m.disk.instance {
			err = fmt.Errorf("%s still is", now)
		}
		return err
	})
	if err != nil {
		m.Error(err)
	} else {
		m.Logf("another instance is primary after %s", took.Round(time.Second))
	}
	// To replace the disk takes the operator away, which must not be before it is done.
	m.written()
	m.logState()
	m.disk.replace()
	m.whole()
}

// diskFull fills the volume while the writers write, and makes room again.
func diskFull(m *measurement) {
	filler := filepath.Join(m.disk.folder, "filler")
	m.strike("filling " + m.disk.folder + " of " + m.disk.instance)
	if err := fill(filler); err != nil {
		m.Fatal(err)
	}
	m.Logf("full after %s", time.Since(m.struck).Round(100*time.Millisecond))
	took, err := cloud.Within(cloud.HealTimeout, "the operator reports it", func() error {
		// Uses up the segments that PostgreSQL keeps for later. In the end there is nobody to ask.
		_, _ = cloud.SQL(m.disk.instance, "SELECT pg_switch_wal()")
		phase := cloud.Kubectl(m.T, "get", cloud.Database, "-o", "jsonpath={.status.phase}")
		if !strings.Contains(phase, "Not enough disk space") {
			return errors.New(phase)
		}
		return nil
	})
	if err != nil {
		m.Error(err)
	} else {
		m.Logf("reported after %s", took.Round(time.Second))
	}
	m.logState()
	if err := os.Remove(filler); err != nil {
		m.Fatal(err)
	}
	m.whole()
}

// fill writes a file until the disk is full.
func fill(name string) error {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("create filler: %w", err)
	}
	defer func() { _ = file.Close() }()
	block := make([]byte, 1<<16)
	for {
		if _, err := file.Write(block); errors.Is(err, syscall.ENOSPC) {
			return nil
		} else if err != nil {
			return fmt.Errorf("write filler: %w", err)
		}
	}
}

// logState shows what an alert could be made of.
func (m *measurement) logState() {
	m.Helper()
	for _, args := range [][]string{
		{"get", cloud.Database, "-o", "jsonpath={.status.phase}: {.status.phaseReason}{\"\\n\"}{.status.conditions}"},
		{"get", "pods", "-l", instanceLabel},
	} {
		output, err := cloud.Try("kubectl", append([]string{"-n", cloud.Namespace}, args...)...)
		m.Logf("kubectl %s\n%s%v", strings.Join(args, " "), output, errors.Join(err))
	}
}
