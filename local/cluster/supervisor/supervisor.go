package supervisor

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
)

// Supervisor holds the units of one instance.
type Supervisor struct {
	logs  string
	env   []string
	spawn func(*exec.Cmd) error

	mu        sync.Mutex
	processes []*process
}

// New returns a supervisor that writes logs into a folder and adds env to each unit's environment.
func New(logs string, env ...string) *Supervisor {
	return &Supervisor{logs: logs, env: env, spawn: spawner()}
}

// spawner returns a function that starts processes from one OS thread that never ends: the kernel sends Pdeathsig
// when the thread that started a process ends, not when the supervisor does.
func spawner() func(*exec.Cmd) error {
	type request struct {
		cmd  *exec.Cmd
		done chan error
	}
	requests := make(chan request)
	go func() {
		runtime.LockOSThread()
		for r := range requests {
			r.done <- r.cmd.Start()
		}
	}()
	return func(cmd *exec.Cmd) error {
		r := request{cmd, make(chan error, 1)}
		requests <- r
		return <-r.done
	}
}

// Ensure starts a unit, or restarts it where it differs from the one that runs. A unit that runs unchanged is left.
func (s *Supervisor) Ensure(u Unit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.processes {
		if p.unit.Name != u.Name {
			continue
		}
		if !same(p.unit, u) {
			p.end()
			s.processes[i] = s.start(u)
		}
		return
	}
	s.processes = append(s.processes, s.start(u))
}

func (s *Supervisor) start(u Unit) *process {
	p := &process{
		unit: u, logFile: filepath.Join(s.logs, u.Name+".log"), env: s.env, spawn: s.spawn,
		state: State{Name: u.Name}, stop: make(chan struct{}), done: make(chan struct{}),
	}
	go p.run()
	return p
}

// States lists the units in the order in which they were started.
func (s *Supervisor) States() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make([]State, len(s.processes))
	for i, p := range s.processes {
		states[i] = p.snapshot()
	}
	return states
}

// Stop ends every unit, the last started first.
func (s *Supervisor) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.processes) - 1; i >= 0; i-- {
		s.processes[i].end()
	}
	s.processes = nil
}
