package redis

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/internal/testenv"
	"agentstack/app/problem"
)

var (
	_ agent.CompletionCache = (*Cache)(nil)
	_ account.Limiter       = (*Limiter)(nil)
	_ agent.EventLog        = (*Events)(nil)
)

// waitTimeout bounds what a test waits for; a busy machine takes its time.
const waitTimeout = 30 * time.Second

// newClient returns a client, as a replica of the service has one, that has found the cluster.
func newClient(t *testing.T, cluster *testenv.RedisCluster, options Options) *Client {
	t.Helper()
	options.Addrs, options.Password = cluster.Addrs(), testenv.Secret
	client := NewClient(options, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = client.Close() })
	eventually(t, "the cluster answers", func() bool { return client.Ready(t.Context()) == nil })
	return client
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(waitTimeout); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s it is not so that %s", waitTimeout, what)
		}
	}
}

// wantCode checks for problem.Limited with a code and a time to wait, which it returns.
func wantCode(t *testing.T, err error, code string) (retryAfter time.Duration) {
	t.Helper()
	var known *problem.Error
	if !errors.As(err, &known) || known.Kind != problem.Limited || known.Code != code || known.RetryAfter <= 0 {
		t.Fatalf("error %v, want code %s", err, code)
	}
	return known.RetryAfter
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(data)
}

func (b *buffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), text)
}

func TestCache(t *testing.T) {
	cluster := testenv.NewRedisCluster(t)
	client := newClient(t, cluster, Options{})
	cache, brief := NewCache(client, time.Hour), NewCache(client, 50*time.Millisecond)
	ctx := t.Context()
	if completion, err := cache.Get(ctx, "none"); completion != nil || err != nil {
		t.Errorf("nothing: %v, %v", completion, err)
	}
	put := &agent.Completion{Body: []byte(`{"a":1}`)}
	if err := errors.Join(cache.Put(ctx, "kept", put), brief.Put(ctx, "brief", put)); err != nil {
		t.Fatal(err)
	}
	got, err := NewCache(newClient(t, cluster, Options{}), time.Hour).Get(ctx, "kept")
	if err != nil || got == nil || string(got.Body) != `{"a":1}` {
		t.Errorf("another replica reads %+v, %v", got, err)
	}
	eventually(t, "a completion expires", func() bool {
		completion, err := brief.Get(ctx, "brief")
		return completion == nil && err == nil
	})
	cluster.Stop()
	eventually(t, "nothing is cached without a cluster", func() bool {
		completion, err := cache.Get(ctx, "kept")
		return completion == nil && err == nil && cache.Put(ctx, "kept", put) == nil
	})
}

// Spans have neither keys nor values: keys tell buckets, values are content.
func TestTracing(t *testing.T) {
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(provider)
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	client := newClient(t, testenv.NewRedisCluster(t), Options{Tracing: true})
	events := NewEvents(client)
	ctx, span := provider.Tracer("test").Start(context.Background(), "request")
	written := []agent.Event{{Seq: 1, Type: agent.EventDelta, Text: "confidential"}}
	if err := events.Append(ctx, "message-1", written); err != nil {
		t.Fatal(err)
	}
	if _, err := events.Read(ctx, "message-1", 0, 0); err != nil {
		t.Fatal(err)
	}
	span.End()
	names := map[string]bool{}
	for _, stub := range exporter.GetSpans() {
		names[stub.Name] = true
		if stub.Name != "request" && stub.Parent.SpanID() != span.SpanContext().SpanID() {
			t.Errorf("span %q belongs to no request", stub.Name)
		}
		for _, attribute := range stub.Attributes {
			text := attribute.Value.String()
			if strings.Contains(text, "confidential") || strings.Contains(text, "message-1") ||
				strings.Contains(text, testenv.Secret) {
				t.Errorf("span %q has %s = %s", stub.Name, attribute.Key, text)
			}
		}
	}
	if !names["redis.pipeline xadd expire"] || !names["xread"] {
		t.Errorf("spans %v", names)
	}
}
