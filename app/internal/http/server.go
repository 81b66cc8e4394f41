// Package http serves the API over HTTP.
package http

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"agentstack/app/agent"
	"agentstack/app/telemetry"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 64 << 10
	// saveGrace is how long handlers that were ended by a shutdown may take to store their exchanges.
	saveGrace = 4 * time.Second
)

// Check is a dependency's part in readiness and health.
type Check func(context.Context) error

// Options are what a server needs.
type Options struct {
	Chat    *agent.Chat
	Checks  map[string]Check // by the name that /health shows
	Metrics *telemetry.Metrics
	Log     *slog.Logger
}

// Server is the HTTP server of the API.
type Server struct {
	Options
	http     *http.Server
	end      context.CancelCauseFunc // ends every request's context
	draining atomic.Bool
	inflight sync.WaitGroup
}

// NewServer returns a server that does not listen yet.
func NewServer(options Options) *Server {
	base, end := context.WithCancelCause(context.Background())
	s := &Server{Options: options, end: end}
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(options.Log.Handler(), slog.LevelWarn),
	}
	return s
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", s.live)
	mux.HandleFunc("GET /ready", s.ready)
	mux.HandleFunc("GET /health", s.health)
	mux.Handle("GET /metrics", s.Metrics.Handler())
	mux.HandleFunc("POST /v1/chat/completions", s.chatCompletions)
	return s.observe(s.recover(openAIErrors(mux)))
}

// Serve answers requests until Shutdown.
func (s *Server) Serve(listener net.Listener) error {
	if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// Drain makes /ready say 503 and asks clients to give up their connections, while requests are still served.
func (s *Server) Drain() { s.draining.Store(true) }

// Shutdown takes no more connections and waits for the requests that are being served. When ctx ends first,
// it ends them, and returns an error after they have stored what they have.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	err := s.http.Shutdown(ctx)
	if err == nil {
		return nil
	}
	s.end(agent.ErrShutdown)
	if !s.wait(saveGrace) {
		err = fmt.Errorf("%w; some requests did not end", err)
	}
	return errors.Join(fmt.Errorf("drain: %w", err), s.http.Close())
}

func (s *Server) wait(limit time.Duration) bool {
	done := make(chan struct{})
	go func() {
		s.inflight.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}
