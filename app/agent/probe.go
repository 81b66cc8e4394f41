package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// probeAge is how long a result is used again, so that callers cannot overload a dependency.
	probeAge = time.Second
	// probeTimeout bounds one check. While one runs, a result that is not older than both together still serves.
	probeTimeout = 2 * time.Second
)

// Probe answers whether a dependency is there, from a recent result where there is one.
type Probe struct {
	name  string
	log   *slog.Logger
	check func(context.Context) error

	mu      sync.Mutex
	checked time.Time     // when err was found
	err     error         // the last result
	running chan struct{} // closed when the running check ends; nil when none runs
}

// NewProbe returns a probe that runs check when its last result is too old, one run at a time. Changes are logged
// under the dependency's name.
func NewProbe(name string, log *slog.Logger, check func(context.Context) error) *Probe {
	return &Probe{name: name, log: log, check: check}
}

// Check returns nil when the dependency is there. A caller that goes away does not spoil the result for others.
func (p *Probe) Check(ctx context.Context) error {
	p.mu.Lock()
	age := time.Since(p.checked)
	if age >= probeAge && p.running == nil {
		p.running = make(chan struct{})
		go p.run(context.WithoutCancel(ctx), p.running)
	}
	running, last := p.running, p.err
	p.mu.Unlock()
	if age < probeAge+probeTimeout {
		return last
	}
	select {
	case <-running:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *Probe) run(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	err := p.check(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.logChange(err)
	p.err, p.checked, p.running = err, time.Now(), nil
	close(done)
}

func (p *Probe) logChange(err error) {
	first := p.checked.IsZero()
	switch {
	case err != nil && (first || p.err == nil):
		p.log.Warn("dependency unavailable", "dependency", p.name, "error", err)
	case err == nil && (first || p.err != nil):
		p.log.Info("dependency available", "dependency", p.name)
	}
}
