package llm

import (
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestTracing(t *testing.T) {
	provider, propagator := otel.GetTracerProvider(), otel.GetTextMapPropagator()
	t.Cleanup(func() {
		otel.SetTracerProvider(provider)
		otel.SetTextMapPropagator(propagator)
	})
	spans := tracetest.NewSpanRecorder()
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSpanProcessor(spans)))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	u := startMock(t)
	options := u.options()
	options.Tracing = true
	stream, err := NewOpenAI(options).Stream(t.Context(), askStream("mock", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	if _, text, err := collect(t, stream); err != nil || text != "You said: hello" {
		t.Errorf("got %q, %v", text, err)
	}
	ended := spans.Ended()
	if len(ended) != 1 || ended[0].Name() != "model mock" {
		t.Fatalf("spans: %v", ended)
	}
	if header, _ := u.last(); len(header.Get("Traceparent")) < 55 {
		t.Errorf("header: %v", header)
	}
}
