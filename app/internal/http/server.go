// Package http serves the API over HTTP.
package http

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/knowledge"
	"agentstack/app/telemetry"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 120 * time.Second
	// maxHeaderBytes bounds a request's header. net/http answers a larger one itself: 431, as plain text.
	maxHeaderBytes = 64 << 10
	// saveGrace is how long handlers that were ended by a shutdown may take to store their exchanges.
	saveGrace = 4 * time.Second
)

// Check is a dependency's part in readiness and health.
type Check func(context.Context) error

// Options are what a server needs.
type Options struct {
	Chat        *agent.Chat
	Sessions    *agent.Sessions
	Knowledge   *knowledge.Service
	Embeddings  agent.EmbeddingModel
	Catalog     agent.Catalog
	Accounts    *account.Service
	Idempotency agent.IdempotencyStore
	Checks      map[string]Check // by the name that /health shows
	Metrics     *telemetry.Metrics
	// Version of the API's description. Default "dev".
	Version string
	// MaxStreams bounds the answers that stay open at a time. Default 2000.
	MaxStreams int
	// Tracing makes a span of every request, with the global tracer provider.
	Tracing bool
	Log     *slog.Logger
}

// Server is the HTTP server of the API.
type Server struct {
	Options
	http     *http.Server
	mux      *http.ServeMux
	api      huma.API
	end      context.CancelCauseFunc // ends every request's context
	draining atomic.Bool
	streams  atomic.Int64
	sockets  *sockets
	grace    grace
	inflight sync.WaitGroup
}

// NewServer returns a server that does not listen yet.
func NewServer(options Options) *Server {
	options.Version = cmp.Or(options.Version, "dev")
	options.MaxStreams = cmp.Or(options.MaxStreams, defaultMaxStreams)
	base, end := context.WithCancelCause(context.Background())
	mux := http.NewServeMux()
	s := &Server{Options: options, mux: mux, end: end, sockets: newSockets()}
	s.api = newAPI(mux, options.Version)
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
	s.mux.HandleFunc("GET /livez", s.live)
	s.mux.HandleFunc("GET /ready", s.ready)
	s.mux.HandleFunc("GET /health", s.health)
	s.mux.Handle("GET /metrics", s.Metrics.Handler())
	s.registerDocs()
	s.registerChat()
	s.registerEmbeddings()
	s.registerModels()
	s.registerResources()
	handler := s.observe(s.recover(s.unmatched(s.mux)))
	if s.Tracing {
		return s.trace(handler)
	}
	return handler
}

// Serve answers requests until Shutdown.
func (s *Server) Serve(listener net.Listener) error {
	if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// Drain makes /ready say 503 and asks clients to give up their connections, while requests are still served.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.sockets.drain()
}

// Shutdown takes no more connections and waits for the requests that are being served. When ctx ends first,
// it ends them, and returns an error after they have stored what they have.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	err := s.http.Shutdown(ctx)
	if err == nil {
		err = s.sockets.wait(ctx)
	}
	if err == nil {
		return nil
	}
	s.end(agent.ErrShutdown)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveGrace)
	defer cancel()
	// A handler that has returned may not have sent its answer yet: the second Shutdown waits for that.
	if !s.wait(grace) || s.http.Shutdown(grace) != nil {
		err = fmt.Errorf("%w; some requests did not end", err)
	}
	return errors.Join(fmt.Errorf("drain: %w", err), s.http.Close())
}

func (s *Server) wait(ctx context.Context) bool {
	done := make(chan struct{})
	go func() {
		s.inflight.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
