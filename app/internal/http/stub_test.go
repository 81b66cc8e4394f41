package http

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/problem"
	"agentstack/app/telemetry"
)

const (
	stubTenant = "0193e0a0-0000-7000-8000-00000000000a"
	stubKeyID  = "0193e0a0-0000-7000-8000-00000000000b"
	stubAnswer = `{"id":"c-1","object":"chat.completion","created":1,"model":"m","choices":[],"usage":null}`
	chatBody   = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
	streamBody = `{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}`
)

var stubSecret = strings.Repeat("s", 43)

// stubKey is a key with the scope chat, stubAgentsKey one without.
var (
	stubKey       = "ask_" + strings.ReplaceAll(stubKeyID, "-", "") + "_" + stubSecret
	stubAgentsKey = "ask_" + strings.Repeat("c", 32) + "_" + stubSecret
)

// stubAccounts knows the keys above.
type stubAccounts struct{ account.Store }

func (stubAccounts) KeyByID(_ context.Context, id string) (*account.APIKey, error) {
	sum := sha256.Sum256([]byte(stubSecret))
	scope := account.ScopeChat
	if id != stubKeyID {
		scope = account.ScopeAgents
	}
	return &account.APIKey{ID: id, TenantID: stubTenant, KeyHash: sum[:], Scopes: []account.Scope{scope}}, nil
}

// stubSigner knows expired tokens only.
type stubSigner struct{ account.Signer }

func (stubSigner) Verify(string) (account.Claims, error) {
	return account.Claims{}, problem.New(problem.Unauthenticated, "token_expired", "The access token has expired.")
}

// stubModel answers with functions; nil ones answer at once.
type stubModel struct {
	complete func(context.Context) (*agent.Completion, error)
	next     func(context.Context) (agent.Chunk, error)
}

func (m stubModel) Complete(ctx context.Context, _ *agent.ChatRequest) (*agent.Completion, error) {
	if m.complete != nil {
		return m.complete(ctx)
	}
	return &agent.Completion{Body: []byte(stubAnswer)}, nil
}

func (m stubModel) Stream(ctx context.Context, _ *agent.ChatRequest) (agent.Stream, error) {
	return &stubStream{ctx, m.next}, nil
}

func (m stubModel) Embed(context.Context, *agent.EmbeddingRequest) (*agent.EmbeddingAnswer, error) {
	return &agent.EmbeddingAnswer{Body: []byte(`{"object":"list","data":[]}`)}, nil
}

func (stubModel) Model(name string) (agent.ModelSpec, bool) {
	return agent.ModelSpec{Name: name, Routes: []agent.Route{{Provider: "p"}}}, name == "org/m"
}

func (m stubModel) Models() []agent.ModelSpec {
	spec, _ := m.Model("org/m")
	return []agent.ModelSpec{spec}
}

type stubStream struct {
	ctx  context.Context
	next func(context.Context) (agent.Chunk, error)
}

func (s *stubStream) Next() (agent.Chunk, error) {
	if s.next == nil {
		return agent.Chunk{}, io.EOF
	}
	return s.next(s.ctx)
}

func (s *stubStream) Close() error { return nil }

// lockedBuffer takes logs of several requests.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// stub is a running server whose ports are stubs.
type stub struct {
	*Server
	addr   string
	logs   *lockedBuffer
	client *http.Client
}

func startStub(t *testing.T, model stubModel, change func(*Options)) *stub {
	t.Helper()
	logs := &lockedBuffer{}
	log := slog.New(slog.NewJSONHandler(logs, nil))
	options := Options{
		Chat:       &agent.Chat{Model: model, Log: log},
		Embeddings: model,
		Catalog:    model,
		Accounts:   &account.Service{Store: stubAccounts{}, Signer: stubSigner{}},
		Metrics:    telemetry.New("v", "test"),
		Log:        log,
	}
	if change != nil {
		change(&options)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	s := &stub{NewServer(options), listener.Addr().String(), logs, client}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		client.CloseIdleConnections() // Shutdown waits 5 s for those that have sent nothing yet
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s
}

type answer struct {
	status  int
	header  http.Header
	body    []byte
	problem Problem // when the answer is one
}

// do sends a request with stubKey; header has names and values by turns, an empty value removes.
func (s *stub) do(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	a, err := s.try(t.Context(), method, path, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (s *stub) try(ctx context.Context, method, path, body string, header ...string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+stubKey)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			request.Header.Del(header[i])
		}
	}
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	a := answer{status: response.StatusCode, header: response.Header, body: data}
	if response.Header.Get("Content-Type") == problemMediaType {
		err = json.Unmarshal(data, &a.problem)
	}
	return a, err
}

// poll waits until a condition holds.
func poll(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 5 s", what)
		}
	}
}
