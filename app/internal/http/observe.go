package http

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"agentstack/app/telemetry"
)

// statusClientClosed is what logs and metrics call a request whose client went away; it is never sent.
const statusClientClosed = 499

const requestIDHeader = "X-Request-Id"

// frequent are the endpoints that machines request every few seconds; their success is no news.
var frequent = []string{"/livez", "/ready", "/health", "/metrics"}

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status  int // 0 until the header is written
	written int64
	outcome int  // status for logs and metrics, when the answer failed after its header was sent
	broken  bool // the answer ends without its end
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.written += int64(n)
	return n, err
}

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// countingBody counts the bytes of a request that were read.
type countingBody struct {
	io.ReadCloser
	read int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	return n, err
}

// observe gives every request an id, a log line and metrics. Neither contains what the client or the model said.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.inflight.Add(1)
		defer s.inflight.Done()
		started := time.Now()
		id := r.Header.Get(requestIDHeader)
		if !requestIDPattern.MatchString(id) {
			id = rand.Text()
			r.Header.Set(requestIDHeader, id)
		}
		w.Header().Set(requestIDHeader, id)
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		body := &countingBody{ReadCloser: r.Body}
		r.Body = body
		answer := &recorder{ResponseWriter: w}
		next.ServeHTTP(answer, r)
		s.record(r, answer, body.read, time.Since(started))
		if answer.broken {
			// The client must see that the answer is not complete: the server closes the connection without its end.
			panic(http.ErrAbortHandler)
		}
	})
}

func (s *Server) record(r *http.Request, answer *recorder, read int64, duration time.Duration) {
	status := answer.status
	switch {
	case answer.outcome != 0:
		status = answer.outcome
	case clientGone(r.Context()):
		status = statusClientClosed
	case status == 0:
		status = http.StatusOK
	}
	endpoint := endpoint(r)
	s.Metrics.ObserveRequest(telemetry.Request{
		Method:       r.Method,
		Endpoint:     endpoint,
		Status:       status,
		Duration:     duration,
		RequestSize:  read,
		ResponseSize: answer.written,
	})
	level := slog.LevelInfo
	if slices.Contains(frequent, endpoint) && status < http.StatusInternalServerError {
		level = slog.LevelDebug
	}
	s.Log.Log(r.Context(), level, "request",
		"request_id", r.Header.Get(requestIDHeader),
		"method", r.Method,
		"endpoint", endpoint,
		"status", status,
		"duration_ms", float64(duration.Microseconds())/1000,
		"request_bytes", read,
		"response_bytes", answer.written,
		"remote", r.RemoteAddr,
	)
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
			answer, ok := w.(*recorder)
			if err, isError := cause.(error); !isError || !errors.Is(err, http.ErrAbortHandler) {
				s.Log.Error("panic", "request_id", r.Header.Get(requestIDHeader),
					"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			}
			if ok && answer.status != 0 {
				answer.outcome, answer.broken = http.StatusInternalServerError, true
				return
			}
			writeError(w, internalError())
		}()
		next.ServeHTTP(w, r)
	})
}
