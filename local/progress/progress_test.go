package progress

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// display is one whose clock goes on by ten seconds at each look.
func display(terminal bool) (*Display, *bytes.Buffer) {
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	now := func() time.Time { clock = clock.Add(10 * time.Second); return clock }
	return &Display{out: &out, terminal: terminal, began: time.Unix(0, 0), now: now}, &out
}

func TestALogTellsPhaseTimeAndWaiting(t *testing.T) {
	d, out := display(false)
	err := d.Phase("control plane", func(say func(string, ...any)) error {
		say("waiting for %s", "etcd")
		say("waiting for %s", "etcd")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := out.String()
	for _, want := range []string{
		"… control plane (", "control plane: waiting for etcd (", "✓ control plane (", "[00:20]",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
	if strings.Count(got, "waiting for etcd") != 1 {
		t.Errorf("what did not change was said again:\n%s", got)
	}
}

func TestAFailureNamesItsPhase(t *testing.T) {
	d, out := display(true)
	cause := errors.New("no disk")
	err := d.Phase("images", func(func(string, ...any)) error { return cause })
	if !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "images: ") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(out.String(), "✗ images failed after") {
		t.Errorf("got %q", out)
	}
}
