package main

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver is an OTLP receiver that keeps the spans it gets.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*trace.Span
	raw   strings.Builder
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Errorf("read traces: %v", err)
		}
		var export collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &export); err != nil {
			t.Errorf("decode traces: %v", err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.raw.Write(body)
		for _, resource := range export.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				r.spans = append(r.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// TestTraces follows one request through HTTP, SQL, Redis and the model call.
func TestTraces(t *testing.T) {
	t.Parallel()
	e, traces := newEnvironment(t), newReceiver(t)
	s := e.start(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": traces.URL})
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	got := s.chat(t, prompt("m", "content-for-no-trace", false), "traceparent", "00-"+id+"-00f067aa0ba902b7-01")
	if got.status != http.StatusOK {
		t.Fatalf("chat: %d %s", got.status, got.body)
	}
	s.terminate() // sends what is left
	s.wait(t)
	traces.mu.Lock()
	defer traces.mu.Unlock()
	kinds := map[string]bool{}
	for _, span := range traces.spans {
		if hex.EncodeToString(span.TraceId) == id {
			kinds[kindOf(span)] = true
		}
	}
	for _, want := range []string{"server", "sql", "redis", "model"} {
		if !kinds[want] {
			t.Errorf("no %s span in the request's trace: %v", want, kinds)
		}
	}
	for _, secret := range []string{"content-for-no-trace", "not-for-logs", s.env.key} {
		if strings.Contains(traces.raw.String(), secret) {
			t.Errorf("the traces contain %q", secret)
		}
	}
}

// kindOf says what a span is of, by the attributes of OpenTelemetry's semantic conventions.
func kindOf(span *trace.Span) string {
	attributes := map[string]string{}
	for _, attribute := range span.Attributes {
		attributes[attribute.Key] = attribute.Value.GetStringValue()
	}
	system := attributes["db.system"] + attributes["db.system.name"]
	switch {
	case span.Kind == trace.Span_SPAN_KIND_SERVER:
		return "server"
	case strings.HasPrefix(system, "postgres"):
		return "sql"
	case system == "redis":
		return "redis"
	case span.Kind == trace.Span_SPAN_KIND_CLIENT && attributes["server.address"] != "":
		return "model"
	default:
		return span.Name
	}
}
