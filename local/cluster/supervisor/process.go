package supervisor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	// firstBackoff doubles with each death in quick succession, up to maxBackoff.
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 10 * time.Second
	// stable is how long a process must live before its next death counts as the first again.
	stable = time.Minute
	// maxLog is the size above which a log is set aside when its process starts.
	maxLog = 32 << 20
)

// process runs one unit until it is stopped.
type process struct {
	unit    Unit
	logFile string
	env     []string
	spawn   func(*exec.Cmd) error

	mu    sync.Mutex
	state State
	cmd   *exec.Cmd
	stop  chan struct{}
	done  chan struct{}
}

func (p *process) run() {
	defer close(p.done)
	backoff := firstBackoff
	for {
		began := time.Now()
		exit := p.runOnce()
		if p.stopping() {
			return
		}
		if time.Since(began) > stable {
			backoff = firstBackoff
		}
		p.mu.Lock()
		p.state.Restarts++
		p.state.LastExit = fmt.Sprintf("%s: %s", time.Now().Format(time.RFC3339), exit)
		p.mu.Unlock()
		select {
		case <-p.stop:
			return
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

func (p *process) runOnce() string {
	log, err := openLog(p.logFile)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = log.Close() }()
	cmd := p.command(log)
	p.mu.Lock()
	if p.stopping() {
		p.mu.Unlock()
		return "stopped"
	}
	err = p.spawn(cmd)
	if err == nil {
		p.cmd, p.state.PID, p.state.Started = cmd, cmd.Process.Pid, time.Now()
	}
	p.mu.Unlock()
	if err != nil {
		return err.Error()
	}
	_ = cmd.Wait() // what it says is in ProcessState
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.state.PID = nil, 0
	return cmd.ProcessState.String()
}

func (p *process) command(log *os.File) *exec.Cmd {
	args := p.unit.Args
	if p.unit.Namespace != "" {
		// Not `ip netns exec`: that mounts a new /sys, which hides the cgroups.
		args = append([]string{"nsenter", "--net=/run/netns/" + p.unit.Namespace, "--"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(append(os.Environ(), p.env...), p.unit.Env...)
	// Setpgid keeps a Ctrl-C in the terminal away; Pdeathsig ends the process with its supervisor.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	return cmd
}

func (p *process) stopping() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

// end asks the process to stop, kills it after its timeout, and returns when it is gone.
func (p *process) end() {
	p.mu.Lock()
	close(p.stop)
	p.signal(syscall.SIGTERM)
	p.mu.Unlock()
	select {
	case <-p.done:
	case <-time.After(p.unit.StopTimeout):
		p.mu.Lock()
		p.signal(syscall.SIGKILL)
		p.mu.Unlock()
		<-p.done
	}
}

// signal needs the lock. A process that ended in this moment needs no signal.
func (p *process) signal(s syscall.Signal) {
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

func (p *process) snapshot() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make log folder: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("set log aside: %w", err)
		}
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return log, nil
}
