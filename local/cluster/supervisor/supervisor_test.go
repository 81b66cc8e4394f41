package supervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serve runs a supervisor in this process and returns a client and its folder.
func serve(t *testing.T) (*Client, string) {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, dir) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	c := NewClient(dir)
	eventually(t, "the supervisor answers", func() bool {
		_, err := c.States(t.Context())
		return err == nil
	})
	return c, dir
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("waited in vain until %s", what)
}

func only(t *testing.T, c *Client) State {
	t.Helper()
	states, err := c.States(t.Context())
	if err != nil || len(states) != 1 {
		t.Fatalf("states %v, %v", states, err)
	}
	return states[0]
}

func start(t *testing.T, c *Client, u Unit) State {
	t.Helper()
	if err := c.Ensure(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	eventually(t, u.Name+" runs", func() bool { return only(t, c).PID != 0 })
	return only(t, c)
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestADeadProcessIsStartedAgain(t *testing.T) {
	c, _ := serve(t)
	before := start(t, c, Unit{Name: "sleeper", Args: []string{"sleep", "1000"}})
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another process runs", func() bool { s := only(t, c); return s.PID != 0 && s.PID != before.PID })
	if s := only(t, c); s.Restarts != 1 || !strings.Contains(s.LastExit, "killed") {
		t.Errorf("got %+v", s)
	}
}

func TestOnlyAChangedUnitIsRestarted(t *testing.T) {
	c, _ := serve(t)
	u := Unit{Name: "sleeper", Args: []string{"sleep", "1000"}, StopTimeout: time.Second}
	first := start(t, c, u)
	if again := start(t, c, u); again.PID != first.PID {
		t.Error("an unchanged unit was restarted")
	}
	u.Args = []string{"sleep", "2000"}
	if changed := start(t, c, u); changed.PID == first.PID || alive(first.PID) {
		t.Error("a changed unit was not restarted")
	}
}

func TestAProcessThatIgnoresTheSignalIsKilled(t *testing.T) {
	c, dir := serve(t)
	deaf := []string{"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"}
	s := start(t, c, Unit{Name: "deaf", Args: deaf, StopTimeout: 200 * time.Millisecond})
	eventually(t, "it ignores the signal", func() bool {
		log, err := os.ReadFile(filepath.Join(dir, "logs", "deaf.log"))
		return err == nil && strings.Contains(string(log), "ready")
	})
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if alive(s.PID) {
		t.Error("it lives")
	}
}

func TestACommandThatIsMissingIsReported(t *testing.T) {
	c, _ := serve(t)
	if err := c.Ensure(t.Context(), Unit{Name: "x", Args: []string{"/no/such/program"}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the error is in the state", func() bool {
		return strings.Contains(only(t, c).LastExit, "no such file")
	})
}

func TestOneSupervisorAnInstance(t *testing.T) {
	c, dir := serve(t)
	if running, err := c.Running(); err != nil || !running {
		t.Errorf("running %v, %v", running, err)
	}
	if err := Serve(t.Context(), dir); !errors.Is(err, ErrRunning) {
		t.Errorf("got %v", err)
	}
}
