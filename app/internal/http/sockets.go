package http

import (
	"context"
	"sync"
	"time"
)

// socketTimes are the times of a WebSocket.
type socketTimes struct {
	ping  time.Duration // between pings
	pong  time.Duration // until a pong must have come
	write time.Duration // for one frame
}

// sockets are the open WebSockets of a server. The zero value is ready for use but for times.
type sockets struct {
	times socketTimes

	mu       sync.Mutex
	open     map[*socket]struct{}
	draining bool
	running  sync.WaitGroup
}

func newSockets() *sockets {
	return &sockets{
		times: socketTimes{ping: 20 * time.Second, pong: 20 * time.Second, write: writeTimeout},
		open:  map[*socket]struct{}{},
	}
}

// add tells whether the socket may run: while the server drains, it may not.
func (s *sockets) add(c *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.open[c] = struct{}{}
	s.running.Add(1)
	return true
}

func (s *sockets) remove(c *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	s.running.Done()
}

// drain closes idle sockets with 1012 at once, the others when their answers end. No more sockets are opened.
func (s *sockets) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	for c := range s.open {
		c.drain()
	}
}

// wait returns when every socket is closed, or with ctx's error. http.Server.Shutdown does not wait for them. The
// end of the server's base context closes those that are left.
func (s *sockets) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
