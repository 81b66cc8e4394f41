//go:build e2e

package chaos

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"testing"
	"time"
)

// writer writes at a constant rate and remembers what was acknowledged, and when.
type writer struct {
	name  string
	every time.Duration
	// write writes the n-th record and returns its id.
	write func(ctx context.Context, n int) (id string, err error)
	// parts is how many parts of the store take turns: an outage of one is an outage. By default there is one.
	parts int
	// stored returns which of the ids are there.
	stored func(ids []string) (map[string]bool, error)

	mutex  sync.Mutex
	acks   []ack
	failed []failure

	stop    context.CancelFunc
	working sync.WaitGroup
	ended   time.Time
}

type ack struct {
	at   time.Time
	id   string
	part int
}

type failure struct {
	at  time.Time
	err error
}

const (
	// workers bounds the writes in flight: one that hangs holds only its own worker.
	workers = 8
	// writeTimeout is what a client of the stores waits before it tries again on another connection.
	writeTimeout = 2 * time.Second
)

func (w *writer) start() {
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	tickets := make(chan int)
	for range workers {
		w.working.Go(func() {
			for n := range tickets {
				w.writeOnce(n)
			}
		})
	}
	w.working.Go(func() {
		defer close(tickets)
		ticker := time.NewTicker(w.every)
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			select {
			case <-ctx.Done():
				return
			case tickets <- n:
			}
		}
	})
}

func (w *writer) writeOnce(n int) {
	// Not the context of the writer: what is in flight at the end is to be answered, not to be interrupted.
	id, err := w.write(context.Background(), n)
	now := time.Now()
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if err != nil {
		w.failed = append(w.failed, failure{now, err})
		return
	}
	w.acks = append(w.acks, ack{now, id, n % max(1, w.parts)})
}

// finish waits for the writes in flight.
func (w *writer) finish() {
	w.stop()
	if w.ended.IsZero() {
		w.ended = time.Now()
	}
	w.working.Wait()
}

// lively says what is wrong when no write has been acknowledged for a while.
func (w *writer) lively() error {
	const lively = 2 * time.Second
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, acks := range w.byPart() {
		if len(acks) > 0 && time.Since(acks[len(acks)-1].at) < lively {
			continue
		}
		err := fmt.Errorf("%s acknowledged nothing for %s", w.name, lively)
		if len(w.failed) > 0 {
			err = fmt.Errorf("%w: %w", err, w.failed[len(w.failed)-1].err)
		}
		return err
	}
	return nil
}

func (w *writer) byPart() [][]ack {
	parts := make([][]ack, max(1, w.parts))
	for _, a := range w.acks {
		parts[a.part] = append(parts[a.part], a)
	}
	return parts
}

// outage is the longest time without an acknowledged write that did not end before the fault, less the normal one.
func (w *writer) outage(struck time.Time) time.Duration {
	var longest time.Duration
	parts := w.byPart()
	for _, acks := range parts {
		previous := struck
		for _, a := range append(acks, ack{at: w.ended}) {
			if a.at.After(struck) {
				longest = max(longest, a.at.Sub(previous))
			}
			previous = a.at
		}
	}
	return max(0, longest-w.every*time.Duration(len(parts)))
}

// backAfter is the time from a moment to the first write that was acknowledged after it.
func (w *writer) backAfter(moment time.Time) (time.Duration, error) {
	for _, a := range w.acks {
		if a.at.After(moment) {
			return a.at.Sub(moment), nil
		}
	}
	return 0, fmt.Errorf("%s: nothing was acknowledged any more", w.name)
}

// lost returns the acknowledged writes that are not there.
func (w *writer) lost() ([]ack, error) {
	ids := make([]string, len(w.acks))
	for i, a := range w.acks {
		ids[i] = a.id
	}
	stored, err := w.stored(ids)
	if err != nil {
		return nil, fmt.Errorf("read what %s wrote: %w", w.name, err)
	}
	var lost []ack
	for _, a := range w.acks {
		if !stored[a.id] {
			lost = append(lost, a)
		}
	}
	return lost, nil
}

// oneRequest is what differs in the errors of two requests: its id, and the port that it came from.
var oneRequest = regexp.MustCompile(`"instance":"[^"]*",|:\d+->`)

// logFailures shows each error once.
func (w *writer) logFailures(t *testing.T) {
	t.Helper()
	const shown, length = 10, 300
	times := map[string][]time.Time{}
	var order []string
	for _, f := range w.failed {
		text := oneRequest.ReplaceAllString(f.err.Error(), "")
		if times[text] == nil {
			order = append(order, text)
		}
		times[text] = append(times[text], f.at)
	}
	for _, text := range order[:min(len(order), shown)] {
		t.Logf("  %d times from %s: %.*s", len(times[text]), times[text][0].Format("15:04:05.000"), length, text)
	}
}
