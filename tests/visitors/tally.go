package visitors

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Result is what visitors saw.
type Result struct {
	Took time.Duration
	// Sent and Failed count chat requests. A request that got anything but its answer has failed.
	Sent, Failed int
	// P50, P95 and P99 are times from when a request was due to the end of its answer, of those that did not fail.
	P50, P95, P99 time.Duration
	// Streams are answers over server-sent events, Sockets those over WebSockets.
	Streams, Sockets Conversations
	// Refused counts WebSockets that a pod refused since it shuts down, with 503 and Retry-After: they were opened
	// again after that time.
	Refused int
	// Failures are the failures and cuts, of each kind the first three of a second.
	Failures []Failure
}

// Conversations count what became of answers that come in parts.
type Conversations struct {
	// Finished is how many answers came to their end, each part once.
	Finished int
	// Resumed is how often a connection was closed as the API describes it, and was continued by another one: by the
	// close code 1012 of a WebSocket, or the event shutting_down of a stream.
	Resumed int
	// Cut is how often a connection ended without a word, and was continued by another one with nothing lost.
	Cut int
	// Failed is how often something else happened.
	Failed int
}

// Failure is why something failed.
type Failure struct {
	At time.Time
	// What failed: request, stream or socket.
	What string
	Err  error
}

func (f Failure) String() string {
	return fmt.Sprintf("%s %s: %v", f.At.Format("15:04:05.000"), f.What, f.Err)
}

const mostFailures = 3

// tally is the result so far.
type tally struct {
	mu        sync.Mutex
	result    Result
	latencies []time.Duration
	noted     map[string]int // by what failed, and the second
}

func (t *tally) requested(took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.result.Sent++
	if err == nil {
		t.latencies = append(t.latencies, took)
		return
	}
	t.result.Failed++
	t.note("request", err)
}

// count adds one to a part of the result.
func (t *tally) count(part *int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*part++
}

func (t *tally) fail(of *Conversations, what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of.Failed++
	t.note(what, err)
}

// continued counts a connection that took the place of one which ended with err.
func (t *tally) continued(of *Conversations, what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if errors.Is(err, errRestart) {
		of.Resumed++
		return
	}
	of.Cut++
	t.note(what, err)
}

func (t *tally) note(what string, err error) {
	if t.noted == nil {
		t.noted = map[string]int{}
	}
	failure := Failure{time.Now(), what, err}
	kind := what + failure.At.Format(time.TimeOnly)
	if t.noted[kind]++; t.noted[kind] <= mostFailures {
		t.result.Failures = append(t.result.Failures, failure)
	}
}

func (t *tally) sum(took time.Duration) Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.latencies)
	quantile := func(percent int) time.Duration {
		if len(t.latencies) == 0 {
			return 0
		}
		return t.latencies[(len(t.latencies)-1)*percent/100]
	}
	t.result.Took, t.result.P50, t.result.P95, t.result.P99 = took, quantile(50), quantile(95), quantile(99)
	return t.result
}
