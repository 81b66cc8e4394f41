package pgdump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// killDelay is how long a program may take to end after SIGTERM.
const killDelay = 5 * time.Second

// maxMessage bounds what is kept of the end of a program's standard error, in bytes.
const maxMessage = 4096

// program is a command of PostgreSQL whose standard error is kept.
type program struct {
	*exec.Cmd
	name    string
	message tail
	ctx     context.Context
}

// program prepares a command that is asked to stop when ctx ends, and is killed if it does not.
func (s *Server) program(ctx context.Context, name string, args ...string) *program {
	p := &program{Cmd: exec.CommandContext(ctx, name, args...), name: name, ctx: ctx}
	p.Env, p.Stderr, p.WaitDelay = s.environment, &p.message, killDelay
	p.Cancel = func() error { return p.Process.Signal(syscall.SIGTERM) }
	return p
}

// result explains how the program ended, err being what Run or Wait returned.
func (p *program) result(err error) error {
	switch {
	case err == nil:
		return nil
	case p.ctx.Err() != nil:
		return fmt.Errorf("%s: %w", p.name, context.Cause(p.ctx))
	default:
		return fmt.Errorf("%s: %w: %s", p.name, err, p.message.String())
	}
}

// dump is a running pg_dump.
type dump struct {
	*program
	stdout io.ReadCloser
	cancel context.CancelFunc
	ended  bool
	err    error
}

func (s *Server) startDump(ctx context.Context, args ...string) (*dump, error) {
	ctx, cancel := context.WithCancel(ctx)
	d := &dump{program: s.program(ctx, "pg_dump", args...), cancel: cancel}
	var err error
	if d.stdout, err = d.StdoutPipe(); err == nil {
		err = d.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start pg_dump: %w", err)
	}
	s.log.Debug("pg_dump started", "pid", d.Process.Pid)
	return d, nil
}

// Read returns io.EOF only after pg_dump has succeeded.
func (d *dump) Read(p []byte) (int, error) {
	n, err := 0, io.EOF
	if !d.ended {
		n, err = d.stdout.Read(p)
	}
	if err == nil {
		return n, nil
	}
	if failure := d.wait(); failure != nil {
		return n, failure
	}
	return n, err
}

// Close ends pg_dump if it still runs.
func (d *dump) Close() error {
	d.cancel()
	if err := d.wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (d *dump) wait() error {
	if !d.ended {
		d.ended, d.err = true, d.result(d.Wait())
	}
	return d.err
}

// tail keeps the end of what is written to it.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	t.data = t.data[max(0, len(t.data)-maxMessage):]
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(string(t.data)) }
