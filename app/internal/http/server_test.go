package http

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"agentstack/app/agent"
)

func TestHealth(t *testing.T) {
	var failure error
	s := startStub(t, stubModel{}, func(o *Options) {
		o.Checks = map[string]Check{"database": func(context.Context) error { return failure }}
	})
	expect := func(path string, status int, want string) {
		t.Helper()
		if got := s.do(t, "GET", path, ""); got.status != status || string(got.body) != want {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	failure = errors.New("not yet")
	expect("/ready", 503, `{"status":"unavailable","checks":{"database":"not yet"}}`)
	failure = nil
	expect("/ready", 200, `{"status":"ok","checks":{"database":"ok"}}`)
	failure = errors.New("no route to db-1")
	expect("/ready", 200, `{"status":"ok","checks":{"database":"no route to db-1"}}`)
	s.grace.away["database"] = time.Now().Add(-readyGrace)
	expect("/ready", 503, `{"status":"unavailable","checks":{"database":"no route to db-1"}}`)
	expect("/health", 503, `{"status":"unavailable","checks":{"database":"unavailable"}}`)
	expect("/livez", 200, `{"status":"ok"}`)
	failure = nil
	s.Drain()
	expect("/ready", 503, `{"status":"draining","checks":{"database":"ok"}}`)
	request, err := http.NewRequest(http.MethodGet, "http://"+s.addr+"/livez", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil || !response.Close {
		t.Errorf("while draining, connections are kept: %v %v", response, err)
	}
	response.Body.Close()
}

func TestShutdownEndsRequests(t *testing.T) {
	called := make(chan struct{}, 2)
	wait := func(ctx context.Context) error {
		called <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	given := false
	s := startStub(t, stubModel{
		complete: func(ctx context.Context) (*agent.Completion, error) { return nil, wait(ctx) },
		next: func(ctx context.Context) (agent.Chunk, error) {
			if given {
				return agent.Chunk{}, wait(ctx)
			}
			given = true
			return agent.Chunk{Data: []byte("{}")}, nil
		},
	}, nil)
	answers := make(chan answer, 2)
	for _, body := range []string{chatBody, streamBody} {
		go func() {
			got, err := s.try(context.Background(), "POST", "/v1/chat/completions", body)
			if err != nil {
				t.Error(err)
			}
			answers <- got
		}()
		<-called
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	for range 2 {
		got := <-answers
		if !strings.Contains(string(got.body), `"code":"shutting_down"`) {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if logs := s.logs.String(); strings.Count(logs, `"status":503`) != 2 {
		t.Errorf("logs:\n%s", logs)
	}
}

func TestTracing(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	s := startStub(t, stubModel{}, func(o *Options) { o.Tracing = true })
	s.do(t, "GET", "/livez", "")
	s.do(t, "GET", "/v1/models/org%2Fm", "")
	if got := s.do(t, "POST", "/v1/chat/completions", streamBody); string(got.body) != "data: [DONE]\n\n" {
		t.Errorf("stream: %s", got.body)
	}
	poll(t, "two spans", func() bool { return len(spans.Ended()) == 2 })
	for i, want := range []string{"GET /v1/models/{model}", "POST /v1/chat/completions"} {
		span := spans.Ended()[i]
		if span.Name() != want {
			t.Errorf("span %q, want %q", span.Name(), want)
		}
		id := `"trace_id":"` + span.SpanContext().TraceID().String() + `"`
		if !strings.Contains(s.logs.String(), id) {
			t.Errorf("no %s in the logs:\n%s", id, s.logs)
		}
	}
}

// deadlines is a ResponseWriter that notes its deadlines.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write time.Time
	reset       bool
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.reset = at.IsZero()
	if !d.reset {
		d.read = at
	}
	return nil
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.write = at
	return nil
}

// failing is a body that ends with an error.
type failing struct {
	io.Reader
	err error
}

func (f failing) Read(p []byte) (int, error) {
	if n, err := f.Reader.Read(p); err == nil {
		return n, nil
	}
	return 0, f.err
}

func TestDeadlines(t *testing.T) {
	s := startStub(t, stubModel{}, nil)
	for name, test := range map[string]struct {
		end    error
		status int
	}{
		"in time":   {io.EOF, 200},
		"too slow":  {os.ErrDeadlineExceeded, 408},
		"cut short": {io.ErrUnexpectedEOF, 400},
	} {
		t.Run(name, func(t *testing.T) {
			body := failing{strings.NewReader(chatBody), test.end}
			request := httptest.NewRequest("POST", "/v1/chat/completions", body)
			request.Header.Set("Authorization", "Bearer "+stubKey)
			w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
			s.http.Handler.ServeHTTP(w, request)
			if w.Code != test.status {
				t.Errorf("%d %s, want %d", w.Code, w.Body, test.status)
			}
			for what, at := range map[string]time.Time{"read": w.read, "write": w.write} {
				if left := time.Until(at); left < 55*time.Second || left > 60*time.Second {
					t.Errorf("deadline to %s in %s", what, left)
				}
			}
			if test.status == 200 && !w.reset {
				t.Error("the deadline of the body is not taken back")
			}
		})
	}
}
