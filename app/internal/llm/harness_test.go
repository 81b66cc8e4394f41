package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"agentstack/app/agent"
	"agentstack/app/internal/mockllm"
)

// upstream is a model server that records what it is asked.
type upstream struct {
	url         string
	connections atomic.Int64
	mu          sync.Mutex
	headers     []http.Header
	bodies      []string
	ended       atomic.Int64 // requests whose handler returned
}

func (u *upstream) asked() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.bodies)
}

func (u *upstream) last() (http.Header, string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.headers[len(u.headers)-1], u.bodies[len(u.bodies)-1]
}

func startMock(t testing.TB) *upstream { return start(t, mockllm.Handler()) }

func start(t testing.TB, handler http.Handler) *upstream {
	u := &upstream{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		u.mu.Lock()
		u.headers, u.bodies = append(u.headers, r.Header), append(u.bodies, string(body))
		u.mu.Unlock()
		defer u.ended.Add(1)
		r.Body = io.NopCloser(bytes.NewReader(body))
		handler.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			u.connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	u.url = server.URL + "/v1"
	return u
}

func (u *upstream) options() Options {
	return Options{Name: "mock", BaseURL: u.url, APIKey: "secret-key", Timeout: 30 * time.Second}
}

// providers returns both kinds of provider in front of the same upstream.
func (u *upstream) providers() map[string]Provider {
	return map[string]Provider{"openai": NewOpenAI(u.options()), "anthropic": NewAnthropic(u.options())}
}

func ask(model, content string) *agent.ChatRequest {
	body, err := json.Marshal(map[string]any{
		"model": model, "messages": []any{map[string]string{"role": "user", "content": content}},
	})
	if err != nil {
		panic(err)
	}
	return &agent.ChatRequest{ID: "test", Model: model, Body: body}
}

func askStream(model, content string) *agent.ChatRequest {
	request := ask(model, content)
	request.Stream = true
	request.Body = append(bytes.TrimSuffix(request.Body, []byte("}")), `,"stream":true}`...)
	return request
}

// collect reads a stream to its end.
func collect(t testing.TB, stream agent.Stream) (chunks []agent.Chunk, text string, err error) {
	t.Helper()
	defer stream.Close()
	for {
		chunk, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return chunks, text, nil
		}
		if err != nil {
			return chunks, text, err
		}
		chunks, text = append(chunks, chunk), text+chunk.Delta.Text
	}
}

// kind returns the kind of a ModelError.
func kind(t testing.TB, err error) agent.ModelErrorKind {
	t.Helper()
	var failure *agent.ModelError
	if !errors.As(err, &failure) {
		t.Fatalf("got error %v, want a ModelError", err)
	}
	return failure.Kind
}

func waitFor(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}

func sameJSON(t testing.TB, got []byte, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatalf("got %s: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatalf("want %s: %v", want, err)
	}
	x, _ := json.MarshalIndent(a, "", " ")
	y, _ := json.MarshalIndent(b, "", " ")
	if !bytes.Equal(x, y) {
		t.Errorf("got %s\nwant %s", x, y)
	}
}

func (u *upstream) allBodies() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return strings.Join(u.bodies, "\n")
}

func (u *upstream) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bodies = nil
}
