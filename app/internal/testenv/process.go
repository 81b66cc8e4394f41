// Package testenv starts real PostgreSQL servers, Redis clusters, S3 stores and Prometheus for tests.
package testenv

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// startTimeout bounds the start of a server; a busy machine takes its time.
const startTimeout = 60 * time.Second

// process is a server that dies with the test binary, however that ends.
type process struct {
	command *exec.Cmd
	output  *bytes.Buffer // read it after exited is closed
	exited  chan struct{}
}

// startProcess runs a program in dir as a user who may run servers.
func startProcess(t testing.TB, dir, name string, args ...string) *process {
	t.Helper()
	p := &process{command: exec.Command(name, args...), output: &bytes.Buffer{}, exited: make(chan struct{})}
	p.command.Dir = dir
	p.command.Stdout, p.command.Stderr = p.output, p.output
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: credential(t)}
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread ends that started the process, so it must stay.
		runtime.LockOSThread()
		err := p.command.Start()
		started <- err
		if err == nil {
			_ = p.command.Wait() // how it ended is for the caller to judge
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() { p.stop(syscall.SIGKILL) })
	return p
}

// stop sends a signal, unless the process has ended, and waits for its end.
func (p *process) stop(signal syscall.Signal) {
	select {
	case <-p.exited:
	default:
		_ = p.command.Process.Signal(signal) // fails only if it has just ended
		<-p.exited
	}
}

// pause makes the process hang.
func (p *process) pause(t testing.TB) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatalf("pause %s: %v", p.command.Path, err)
	}
}

// wait polls until ready returns nil.
func (p *process) wait(t testing.TB, ready func() error) {
	t.Helper()
	deadline := time.Now().Add(startTimeout)
	for {
		err := ready()
		if err == nil {
			return
		}
		select {
		case <-p.exited:
			t.Fatalf("%s ended: %s", p.command.Path, p.output)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready after %s: %v", p.command.Path, startTimeout, err)
		}
	}
}

// credential is nil unless the test runs as root, which PostgreSQL refuses to run as.
func credential(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if account, err := user.Lookup(name); err == nil {
			uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
			gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
			if uidErr == nil && gidErr == nil {
				return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			}
		}
	}
	t.Fatal("neither the user postgres nor nobody exists: run make deps")
	return nil
}

// directory makes a directory that servers can use. Its path is short enough for a Unix socket.
func directory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agentstack-test-")
	if err != nil {
		t.Fatalf("make directory: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove directory: %v", err)
		}
	})
	own(t, dir)
	return dir
}

// own gives a directory to the user who runs the servers.
func own(t testing.TB, dir string) {
	t.Helper()
	if account := credential(t); account != nil {
		if err := os.Chown(dir, int(account.Uid), int(account.Gid)); err != nil {
			t.Fatalf("own directory: %v", err)
		}
	}
}

func missing(program, debianPackage string) string {
	return fmt.Sprintf("%s is not installed (Debian package %s): run make deps", program, debianPackage)
}
