// Package visitors is a steady load on the API through its edge: requests at a constant rate, answers that are read as
// server-sent events, and WebSockets that stay open. It counts what a client would call a failure.
package visitors

import (
	"cmp"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Load says how many visitors there are.
type Load struct {
	// Rate is how many chat requests are sent in a second, however long their answers take. Default 200.
	Rate int
	// Streams is how many answers are read as server-sent events at any time. Default 20.
	Streams int
	// Sockets is how many WebSockets are open at any time. Default 10.
	Sockets int
}

func (l Load) withDefaults() Load {
	return Load{cmp.Or(l.Rate, 200), cmp.Or(l.Streams, 20), cmp.Or(l.Sockets, 10)}
}

// times are how long visitors wait.
type times struct {
	ask     time.Duration // from one question over a WebSocket to the next
	silence time.Duration // for the next byte; the API sends one every 15 s over a stream, every 20 s over a WebSocket
	answer  time.Duration // for an answer
	resume  time.Duration // for a pod that takes a WebSocket in place of one that shuts down
}

var patience = times{ask: time.Second, silence: 45 * time.Second, answer: time.Minute, resume: 30 * time.Second}

const (
	// streamModel takes 300 ms for a word, and so nine seconds for the answer to streamWords: a stream is always there
	// when something happens, and ends within the ten seconds that a model server of the mock's kind has to end.
	streamModel = "mock-pace-300"
	streamWords = 28
	// socketModel makes an answer last long enough to be interrupted.
	socketModel = "mock-pace-20"
	socketWords = 10
	// afterFailure keeps a server that refuses everything from being asked in a tight loop.
	afterFailure = time.Second
)

// Visitors are at work from Start to Stop.
type Visitors struct {
	load    Load
	times   times
	edge    Edge
	clients clients
	callers []caller
	began   time.Time
	stop    chan struct{}
	running sync.WaitGroup
	waiting atomic.Int64 // requests that wait for their answers
	tally
}

// caller is who makes a request: an agent belongs to the tenant of a credential.
type caller struct {
	bearer, streamAgent, socketAgent string
}

// Start makes the agents that the visitors talk to, and sends the visitors. They take turns with the credentials, API
// keys or access tokens with the scopes chat and agents, which must have no rate limit and be valid until Stop.
func Start(edge Edge, credentials []string, load Load) (*Visitors, error) {
	return start(edge, credentials, load, patience)
}

func start(edge Edge, credentials []string, load Load, times times) (*Visitors, error) {
	v := &Visitors{
		load: load.withDefaults(), times: times, edge: edge, clients: edge.clients(), stop: make(chan struct{}),
	}
	for _, credential := range credentials {
		who := caller{bearer: credential}
		for model, agent := range map[string]*string{streamModel: &who.streamAgent, socketModel: &who.socketAgent} {
			var err error
			if *agent, err = v.create(v.clients.http1, who, "/v1/agents",
				map[string]any{"name": "visitors", "model": model}); err != nil {
				return nil, fmt.Errorf("make agent: %w", err)
			}
		}
		v.callers = append(v.callers, who)
	}
	v.began = time.Now()
	v.running.Go(v.requests)
	for n := range v.load.Streams {
		v.running.Go(func() { v.streams(n) })
	}
	for n := range v.load.Sockets {
		v.running.Go((&socket{Visitors: v, caller: v.caller(n), number: n}).run)
	}
	return v, nil
}

// Stop lets the answers under way end, and returns what the visitors saw.
func (v *Visitors) Stop() Result {
	close(v.stop)
	v.running.Wait()
	v.clients.close()
	return v.sum(time.Since(v.began))
}

func (v *Visitors) caller(n int) caller { return v.callers[n%len(v.callers)] }

// client is the n-th visitor's: every other one speaks HTTP/2.
func (v *Visitors) client(n int) *http.Client {
	if n%2 == 0 {
		return v.clients.http2
	}
	return v.clients.http1
}

func (v *Visitors) stopped() bool {
	select {
	case <-v.stop:
		return true
	default:
		return false
	}
}

// pause tells whether to go on after it.
func (v *Visitors) pause(duration time.Duration) bool {
	select {
	case <-v.stop:
		return false
	case <-time.After(duration):
		return true
	}
}
