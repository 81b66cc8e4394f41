package http

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/telemetry"
)

// statusClientClosed is what logs and metrics call a request whose client went away; it is never sent.
const statusClientClosed = 499

const (
	requestIDHeader    = "X-Request-Id"
	maxRequestIDLength = 64
)

// frequent are the endpoints that machines request every few seconds; their success is no news.
var frequent = telemetry.MachineEndpoints()

var nosniff = []string{"nosniff"}

// call is a request that is being served: what is known of it, and what was answered. It is the handlers'
// http.ResponseWriter.
type call struct {
	http.ResponseWriter
	control   *http.ResponseController
	request   *http.Request
	log       *slog.Logger
	id        string
	principal *account.Principal // nil until it is known
	body      []byte             // of the request; nil until it is read
	problem   string             // code of the problem that was sent
	read      int64              // bytes of the request's body
	status    int                // 0 until the header is written
	written   int64
	outcome   int       // status for logs and metrics, when the answer failed after its header was sent
	extended  time.Time // when the deadline of writes was set
	unmatched int       // status of the mux's own plain text error, which is not sent
	broken    bool      // the answer ends without its end
	lost      bool      // the client does not take the answer
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// principal is who makes the request; nil on public routes.
func principal(ctx context.Context) *account.Principal {
	if c := callOf(ctx); c != nil {
		return c.principal
	}
	return nil
}

func requestID(ctx context.Context) string {
	if c := callOf(ctx); c != nil {
		return c.id
	}
	return ""
}

func (c *call) WriteHeader(status int) {
	if c.status != 0 {
		return
	}
	if c.request.Pattern == "" && status >= http.StatusBadRequest && c.problem == "" {
		c.unmatched = status
		return
	}
	c.extend()
	if status >= http.StatusOK {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *call) Write(p []byte) (int, error) {
	if c.unmatched != 0 && c.problem == "" {
		return len(p), nil
	}
	if c.status == 0 {
		c.WriteHeader(http.StatusOK)
	} else {
		c.extend()
	}
	n, err := c.ResponseWriter.Write(p)
	c.written += int64(n)
	c.lost = c.lost || err != nil
	return n, err
}

// FlushError serves http.ResponseController.
func (c *call) FlushError() error {
	err := c.control.Flush()
	c.lost = c.lost || err != nil
	return err
}

// extend gives each write its own time; a limit for the whole answer would cut long streams.
func (c *call) extend() {
	const precision = time.Second // setting a deadline costs more than asking for the time
	now := time.Now()
	if now.Sub(c.extended) < precision {
		return
	}
	c.extended = now
	// An error means that the connection is gone, which the write says, or that it is a test's recorder.
	_ = c.control.SetWriteDeadline(now.Add(writeTimeout))
}

// Unwrap serves http.ResponseController.
func (c *call) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// observe gives every request an id, a log line and metrics. Neither has what the client or the model said.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.inflight.Add(1)
		defer s.inflight.Done()
		started := time.Now()
		c := &call{ResponseWriter: w, control: http.NewResponseController(w), log: s.Log, id: idOf(r)}
		header := w.Header()
		header[requestIDHeader] = []string{c.id}
		header["X-Content-Type-Options"] = nosniff
		if s.draining.Load() {
			header.Set("Connection", "close")
		}
		inner := r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		c.request = inner
		next.ServeHTTP(c, inner)
		r.Pattern = inner.Pattern // tracing names its span by it
		s.record(c, time.Since(started))
		if c.broken {
			// The client must see that the answer is not complete: the connection closes without its end.
			panic(http.ErrAbortHandler)
		}
	})
}

// idOf takes the client's id of the request if it is harmless in headers and logs.
func idOf(r *http.Request) string {
	id := r.Header.Get(requestIDHeader)
	if id == "" || len(id) > maxRequestIDLength || strings.ContainsFunc(id, unusualInID) {
		return rand.Text()
	}
	return id
}

func unusualInID(c rune) bool {
	letter, digit := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z', c >= '0' && c <= '9'
	return !letter && !digit && !strings.ContainsRune("._-", c)
}

func (s *Server) record(c *call, duration time.Duration) {
	ctx := c.request.Context()
	status := c.status
	switch {
	case c.outcome != 0:
		status = c.outcome
	case clientGone(ctx), c.lost:
		status = statusClientClosed
	case status == 0:
		status = http.StatusOK
	}
	spanStatus(ctx, status)
	endpoint := endpoint(c.request)
	s.Metrics.ObserveRequest(telemetry.Request{
		Method:       c.request.Method,
		Endpoint:     endpoint,
		Status:       status,
		Duration:     duration,
		RequestSize:  c.read,
		ResponseSize: c.written,
	})
	level := slog.LevelInfo
	if slices.Contains(frequent, endpoint) && status < http.StatusInternalServerError {
		level = slog.LevelDebug
	}
	if !s.Log.Enabled(ctx, level) {
		return
	}
	var buffer [13]slog.Attr
	attrs := append(buffer[:0],
		slog.String("request_id", c.id),
		slog.String("method", c.request.Method),
		slog.String("endpoint", endpoint),
		slog.Int("status", status),
		slog.Float64("duration_ms", float64(duration.Microseconds())/1000),
		slog.Int64("request_bytes", c.read),
		slog.Int64("response_bytes", c.written),
		slog.String("remote", c.request.RemoteAddr),
	)
	s.Log.LogAttrs(ctx, level, "request", c.identity(ctx, attrs)...)
}

// identity adds who made the request and where its trace is.
func (c *call) identity(ctx context.Context, attrs []slog.Attr) []slog.Attr {
	if c.principal != nil {
		attrs = append(attrs, slog.String("tenant_id", c.principal.TenantID))
		if c.principal.KeyID != "" {
			attrs = append(attrs, slog.String("key_id", c.principal.KeyID))
		}
	}
	if c.problem != "" {
		attrs = append(attrs, slog.String("problem", c.problem))
	}
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		attrs = append(attrs, slog.String("trace_id", span.TraceID().String()))
	}
	return attrs
}

// endpoint is the pattern of the route that matched, without its method.
func endpoint(r *http.Request) string {
	if r.Pattern == "" {
		return telemetry.UnmatchedEndpoint
	}
	_, path, found := strings.Cut(r.Pattern, " ")
	if !found {
		return r.Pattern
	}
	return path
}

// recover turns a panic into a 500, or into a broken connection when the answer has begun.
func (s *Server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			c := callOf(r.Context())
			err, isError := cause.(error)
			// huma panics when it cannot write an answer; that the client is gone is no defect.
			if !c.lost && (!isError || !errors.Is(err, http.ErrAbortHandler)) {
				s.Log.Error("panic", "request_id", c.id,
					"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			}
			if c.status != 0 {
				c.outcome, c.broken = http.StatusInternalServerError, true
				return
			}
			w.Header().Del("Content-Length")
			writeProblem(w, r, internalError())
		}()
		next.ServeHTTP(w, r)
	})
}

// clientGone tells whether the request ended because its client did, and not because the server shuts down.
func clientGone(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), agent.ErrShutdown)
}
