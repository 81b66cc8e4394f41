package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const startTimeout = 10 * time.Second

// Client speaks to the supervisor of the instance in a folder.
type Client struct {
	dir  string
	http http.Client
}

// NewClient returns a client for the instance in dir, whose supervisor need not run.
func NewClient(dir string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket(dir))
	}
	return &Client{dir: dir, http: http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Running says whether the supervisor runs.
func (c *Client) Running() (bool, error) {
	if _, err := os.Stat(c.dir); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	unlock, err := Lock(filepath.Join(c.dir, "supervisor.lock"))
	if errors.Is(err, ErrRunning) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	unlock()
	return false, nil
}

// Start runs a command that calls Serve, detached from this process and its terminal, and waits until it answers.
func (c *Client) Start(ctx context.Context, args ...string) error {
	log, err := openLog(filepath.Join(c.dir, "logs", "supervisor.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), InstanceEnv+"="+c.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start supervisor: %w", err)
	}
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if _, err = c.States(ctx); err == nil {
			return nil
		}
		select {
		case exit := <-gone:
			return fmt.Errorf("start supervisor: it ended: %w; see %s", exit, log.Name())
		case <-ctx.Done():
			return fmt.Errorf("start supervisor: no answer within %s: %w; see %s", startTimeout, err, log.Name())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Ensure starts a unit, or restarts it where it differs from the one that runs.
func (c *Client) Ensure(ctx context.Context, u Unit) error {
	body, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("encode unit: %w", err)
	}
	return c.call(ctx, http.MethodPut, "/units", body, nil)
}

// States lists the units.
func (c *Client) States(ctx context.Context) ([]State, error) {
	var states []State
	return states, c.call(ctx, http.MethodGet, "/units", nil, &states)
}

// Stop stops every unit and the supervisor, and returns when it is gone.
func (c *Client) Stop(ctx context.Context) error {
	if err := c.call(ctx, http.MethodPost, "/stop", nil, nil); err != nil {
		return err
	}
	for {
		running, err := c.Running()
		if err != nil || !running {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stop supervisor: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *Client) call(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://supervisor"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("call supervisor: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("call supervisor: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		message, _ := io.ReadAll(io.LimitReader(resp.Body, 1024)) // the status alone says enough
		return fmt.Errorf("call supervisor: %s: %s", resp.Status, message)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read supervisor's answer: %w", err)
	}
	return nil
}
