package visitors

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"
)

// busy is how long a test waits on a busy machine.
const busy = 3 * time.Minute

// patient visitors fail nothing because the machine is busy.
var patient = times{ask: 20 * time.Millisecond, silence: busy, answer: busy, resume: busy}

func visit(t *testing.T, edge Edge, load Load, times times) *Visitors {
	t.Helper()
	v, err := start(edge, []string{"a", "b"}, load, times)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// until polls what the visitors have seen.
func (v *Visitors) until(t *testing.T, enough func(Result) bool) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		v.mu.Lock()
		seen := v.result
		v.mu.Unlock()
		if enough(seen) {
			return
		}
		if time.Since(began) > busy {
			t.Fatalf("after %s: %+v", busy, seen)
		}
	}
}

func TestNothingFails(t *testing.T) {
	t.Parallel()
	const rate, requests = 20, 60
	f, edge := newFake(t, "")
	v := visit(t, edge, Load{Rate: rate, Streams: 3, Sockets: 3}, patient)
	v.until(t, func(seen Result) bool {
		return seen.Sent >= requests && seen.Streams.Finished >= 10 && seen.Sockets.Finished >= 30
	})
	got := v.Stop()
	if got.Failed+got.Streams.Failed+got.Sockets.Failed+got.Refused+len(got.Failures) > 0 {
		t.Errorf("got %+v", got)
	}
	if most := int(got.Took.Seconds()*rate) + 1; got.Sent > most {
		t.Errorf("%d requests in %s", got.Sent, got.Took)
	}
	if got.P50 <= 0 || got.P50 > got.P95 || got.P95 > got.P99 {
		t.Errorf("quantiles %s, %s, %s", got.P50, got.P95, got.P99)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	// One in twenty is on a fresh connection.
	if f.protocols[1] < requests/3 || f.protocols[2] < requests/3 || len(f.ports) < requests/20 {
		t.Errorf("requests by protocol %v, over %d connections", f.protocols, len(f.ports))
	}
	if f.pongs < 3 {
		t.Errorf("%d pings were answered", f.pongs)
	}
}

// TestFaults wants each kind of failure to be noticed, once, and nothing else to be called one.
func TestFaults(t *testing.T) {
	const request, stream, socket = "request", "stream", "socket"
	tests := map[string]struct {
		what   string
		want   Conversations // without Finished
		reason string        // of the first failure
	}{
		"request refused":          {request, Conversations{Failed: 1}, "503 Service Unavailable"},
		"request reset":            {request, Conversations{Failed: 1}, ""},
		"request answered by half": {request, Conversations{Failed: 1}, "read answer"},
		"another answer":           {request, Conversations{Failed: 1}, "no answer to"},

		"stream refused":                {stream, Conversations{Failed: 1}, "502 Bad Gateway"},
		"stream shut down":              {stream, Conversations{Resumed: 1}, ""},
		"stream with another error":     {stream, Conversations{Failed: 1}, "internal_error"},
		"stream ended":                  {stream, Conversations{Cut: 1}, "unexpected EOF"},
		"stream reset":                  {stream, Conversations{Cut: 1}, "cut: "},
		"stream begun again":            {stream, Conversations{Cut: 1}, "unexpected EOF"},
		"event missing":                 {stream, Conversations{Failed: 1}, "event 5 came after event 3"},
		"event twice":                   {stream, Conversations{Failed: 1}, "event 4 came after event 4"},
		"other words":                   {stream, Conversations{Failed: 1}, "not \"You said"},
		"answer interrupted":            {stream, Conversations{Failed: 1}, "is interrupted"},
		"stream resumed too late":       {stream, Conversations{Failed: 1}, "event 5 came after event 3"},
		"stream resumed too early":      {stream, Conversations{Failed: 1}, "event 3 came after event 3"},
		"stream that cannot be resumed": {stream, Conversations{Failed: 1}, "404 Not Found"},

		"socket refused":                       {socket, Conversations{Failed: 1}, "too_many_streams"},
		"socket shut down":                     {socket, Conversations{Resumed: 1}, ""},
		"socket shut down within an answer":    {socket, Conversations{Resumed: 1}, ""},
		"socket closed with another code":      {socket, Conversations{Failed: 1}, "closed with 1011"},
		"socket cut":                           {socket, Conversations{Cut: 1}, "cut: "},
		"socket resumed too late":              {socket, Conversations{Cut: 1, Failed: 1}, "cut: "},
		"event of a socket missing":            {socket, Conversations{Failed: 1}, "event 5 came after event 3"},
		"question refused":                     {socket, Conversations{Failed: 1}, "not_found"},
		"question refused by a drained socket": {socket, Conversations{Resumed: 1}, ""},
	}
	for fault, test := range tests {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			f, edge := newFake(t, fault)
			v := visit(t, edge, Load{Rate: 20, Streams: 2, Sockets: 2}, patient)
			v.until(t, func(seen Result) bool {
				all := sum(seen)
				return f.hasDone() && all.Resumed >= test.want.Resumed && all.Cut >= test.want.Cut &&
					all.Failed >= test.want.Failed && seen.Streams.Finished >= 4 && seen.Sockets.Finished >= 4
			})
			got := v.Stop()
			seen := map[string]Conversations{
				request: {Failed: got.Failed}, stream: got.Streams, socket: got.Sockets,
			}
			for what, conversations := range seen {
				want := Conversations{Finished: conversations.Finished}
				if what == test.what {
					want.Resumed, want.Cut, want.Failed = test.want.Resumed, test.want.Cut, test.want.Failed
				}
				if conversations != want {
					t.Errorf("%s: %+v, not %+v; %v", what, conversations, want, got.Failures)
				}
			}
			if failures := test.want.Cut + test.want.Failed; len(got.Failures) != failures {
				t.Errorf("%d failures are kept: %v", len(got.Failures), got.Failures)
			} else if failures > 0 && !strings.Contains(got.Failures[0].String(), test.reason) {
				t.Errorf("the reason is %v", got.Failures[0])
			}
			if refused := map[bool]int{true: 1}[fault == "socket shut down"]; got.Refused != refused {
				t.Errorf("%d sockets were refused", got.Refused)
			}
		})
	}
}

func sum(r Result) Conversations {
	return Conversations{
		Resumed: r.Streams.Resumed + r.Sockets.Resumed, Cut: r.Streams.Cut + r.Sockets.Cut,
		Failed: r.Failed + r.Streams.Failed + r.Sockets.Failed,
	}
}

// TestSilence wants what never comes to be a failure. On a busy machine other things may come too late as well.
func TestSilence(t *testing.T) {
	tests := map[string]struct {
		times  times
		reason string
	}{
		"stream silent":         {times{silence: time.Second}, "stream: the connection is silent"},
		"socket silent":         {times{silence: time.Second}, "socket: the connection is silent"},
		"request held":          {times{answer: time.Second}, "request: Post"},
		"question not answered": {times{answer: time.Second}, "socket: no answer to"},
	}
	for fault, test := range tests {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			_, edge := newFake(t, fault)
			times := patient
			times.silence = cmp.Or(test.times.silence, busy)
			times.answer = cmp.Or(test.times.answer, busy)
			v := visit(t, edge, Load{Rate: 1, Streams: 2, Sockets: 2}, times)
			v.until(t, func(seen Result) bool { return strings.Contains(fmt.Sprint(seen.Failures), test.reason) })
			v.Stop()
		})
	}
}

// TestLateAnswers wants requests to be sent when they are due, whatever becomes of those before.
func TestLateAnswers(t *testing.T) {
	t.Parallel()
	_, edge := newFake(t, "request held")
	const rate = 20
	v := visit(t, edge, Load{Rate: rate, Streams: 1, Sockets: 1}, patient)
	v.until(t, func(seen Result) bool { return seen.Sent >= held+1 })
	got := v.Stop()
	// The one that was held was due when most of the others had yet to come.
	if longest := v.latencies[len(v.latencies)-1]; longest < held*time.Second/rate/2 || got.Failed > 0 {
		t.Errorf("got %+v", got)
	}
}
