package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		var failure atomic.Pointer[error]
		probe := NewProbe("test", slog.New(slog.DiscardHandler), func(ctx context.Context) error {
			runs.Add(1)
			if err := failure.Load(); err != nil {
				<-ctx.Done() // hangs until the probe's own limit
				return *err
			}
			return nil
		})
		for range 100 {
			if err := probe.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if runs.Load() != 1 {
			t.Errorf("%d checks within one second, want 1", runs.Load())
		}
		lost := errors.New("lost")
		failure.Store(&lost)
		time.Sleep(probeAge)
		started := time.Now()
		if err := probe.Check(t.Context()); err != nil || time.Since(started) > 0 {
			t.Errorf("while a check hangs: %v after %s, want the recent result at once", err, time.Since(started))
		}
		time.Sleep(probeTimeout)
		if err := probe.Check(t.Context()); !errors.Is(err, lost) {
			t.Errorf("got %v, want %v", err, lost)
		}
		time.Sleep(time.Minute)
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := probe.Check(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("caller that goes away: %v", err)
		}
		started = time.Now()
		if err := probe.Check(t.Context()); !errors.Is(err, lost) || time.Since(started) > probeTimeout {
			t.Errorf("old result: %v after %s, want a new one within %s", err, time.Since(started), probeTimeout)
		}
		if runs.Load() != 3 {
			t.Errorf("%d checks, want 3", runs.Load())
		}
	})
}
