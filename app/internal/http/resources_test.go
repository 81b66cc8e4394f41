package http

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/knowledge"
	"agentstack/app/problem"
)

const signUpToken = "sign-up-token"

// resources is a server with the real domains over memory.
type resources struct {
	*stub
	accounts *memoryAccounts
	limiter  *memoryLimiter
	model    *scriptedModel
	key      string // of the tenant, with every scope
	other    string // the same of another tenant
}

func startResources(t *testing.T, change func(*Options)) *resources {
	t.Helper()
	r := &resources{
		accounts: &memoryAccounts{}, limiter: &memoryLimiter{}, model: &scriptedModel{gate: make(chan struct{})},
	}
	documents := &knowledge.Service{Store: &memoryDocuments{}, Embedder: flatEmbedder{}, NewID: newTestID}
	sessions := &agent.Sessions{
		Store: &memorySessions{}, Model: r.model, Catalog: stubModel{}, Retriever: documents, NewID: newTestID,
		Log: slog.New(slog.DiscardHandler),
	}
	t.Cleanup(sessions.Stop)
	r.stub = startStub(t, stubModel{}, func(o *Options) {
		o.Accounts = &account.Service{
			Store: r.accounts, Hasher: plainHasher{}, Signer: plainSigner{}, Limiter: r.limiter, NewID: newTestID,
			SignUpToken: signUpToken,
		}
		o.Knowledge, o.Sessions = documents, sessions
		o.Idempotency = &memoryAnswers{answers: map[string]*agent.StoredAnswer{}}
		if change != nil {
			change(o)
		}
	})
	r.key = r.newKey(newTestID(), account.Scopes()...)
	r.other = r.newKey(newTestID(), account.Scopes()...)
	return r
}

func newTestID() string { return uuid.Must(uuid.NewV7()).String() }

// newKey stores an API key.
func (r *resources) newKey(tenant string, scopes ...account.Scope) string {
	id, sum := newTestID(), sha256.Sum256([]byte(stubSecret))
	r.accounts.keys.put(tenant, id, account.APIKey{
		ID: id, TenantID: tenant, UserID: tenant, Name: "key", KeyHash: sum[:], Scopes: scopes, TokensPerDay: 1_000_000,
	})
	return "ask_" + strings.ReplaceAll(id, "-", "") + "_" + stubSecret
}

// call requests with the tenant's key and wants a status.
func (r *resources) call(t *testing.T, status int, method, path, body string, header ...string) answer {
	t.Helper()
	a := r.do(t, method, path, body, append([]string{"Authorization", "Bearer " + r.key}, header...)...)
	if a.status != status {
		t.Fatalf("%s %s: %d, want %d: %s", method, path, a.status, status, a.body)
	}
	return a
}

// create makes something and returns its id.
func (r *resources) create(t *testing.T, path, body string) string {
	t.Helper()
	return decode[struct{ ID string }](t, r.call(t, 201, "POST", path, body).body).ID
}

func (r *resources) newSession(t *testing.T, agentFields string) string {
	t.Helper()
	id := r.create(t, "/v1/agents", `{"name":"A","model":"org/m"`+agentFields+`}`)
	return r.create(t, "/v1/sessions", `{"agent_id":"`+id+`"}`)
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return value
}

// scriptedModel does what the question says: "count N" gives N deltas, "wait" one, and each other one when something
// comes through the gate or it is released, "fail" an error, "big" 8 MiB.
type scriptedModel struct {
	gate chan struct{}
	open sync.Once
}

func (m *scriptedModel) release() { m.open.Do(func() { close(m.gate) }) }

func (m *scriptedModel) Complete(context.Context, *agent.ChatRequest) (*agent.Completion, error) {
	return nil, errors.New("not scripted")
}

func (m *scriptedModel) Stream(ctx context.Context, request *agent.ChatRequest) (agent.Stream, error) {
	var body struct{ Messages []struct{ Content string } }
	if err := json.Unmarshal(request.Body, &body); err != nil {
		return nil, err
	}
	question := body.Messages[len(body.Messages)-1].Content
	script := &script{ctx: ctx, deltas: []string{"Hello", " world"}}
	switch {
	case question == "fail":
		return nil, &agent.ModelError{Kind: agent.ModelFailed, Status: 500}
	case question == "panic":
		panic("scripted")
	case question == "wait":
		script.gate = m.gate
	case question == "big":
		script.repeat = strings.Repeat("x", 64<<10)
	case strings.HasPrefix(question, "count "):
		n, err := strconv.Atoi(question[len("count "):])
		if err != nil {
			return nil, err
		}
		script.deltas = nil
		for i := range n {
			script.deltas = append(script.deltas, strconv.Itoa(i)+" ")
		}
	}
	return script, nil
}

type script struct {
	ctx    context.Context
	deltas []string
	repeat string
	gate   chan struct{}
	given  int
}

func (s *script) Next() (agent.Chunk, error) {
	if s.gate != nil && s.given > 0 {
		select {
		case <-s.gate:
		case <-s.ctx.Done():
			return agent.Chunk{}, s.ctx.Err()
		}
	}
	s.given++
	switch {
	case s.repeat != "" && s.given <= 128:
		return agent.Chunk{Delta: agent.Answer{Text: s.repeat}}, s.ctx.Err()
	case s.repeat != "" || s.given > len(s.deltas)+1:
		return agent.Chunk{}, io.EOF
	case s.given == len(s.deltas)+1:
		return agent.Chunk{Delta: agent.Answer{Usage: &agent.Usage{PromptTokens: 3, CompletionTokens: 2}}}, nil
	default:
		return agent.Chunk{Delta: agent.Answer{Text: s.deltas[s.given-1]}}, nil
	}
}

func (s *script) Close() error { return nil }

type flatEmbedder struct{}

func (flatEmbedder) EmbedTexts(_ context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i := range vectors {
		vectors[i] = make([]float32, knowledge.Dimensions)
	}
	return vectors, nil
}

type plainHasher struct{}

func (plainHasher) Hash(password string) (string, error)       { return password, nil }
func (plainHasher) Verify(password, hash string) (bool, error) { return password == hash, nil }

// plainSigner encodes claims; an empty signature does.
type plainSigner struct{}

func (plainSigner) Sign(claims account.Claims) (string, error) {
	data, err := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString(data), err
}

func (plainSigner) Verify(token string) (account.Claims, error) {
	var claims account.Claims
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(data, &claims) != nil {
		return claims, problem.New(problem.Unauthenticated, "invalid_token", "The access token is invalid.")
	}
	if !claims.ExpiresAt.After(time.Now()) {
		return claims, problem.New(problem.Unauthenticated, "token_expired", "The access token has expired.")
	}
	return claims, nil
}

// memoryLimiter lets everything pass until it is exhausted, and counts what was used.
type memoryLimiter struct {
	mu        sync.Mutex
	exhausted bool
	logins    int
	used      int64
}

func (l *memoryLimiter) Allow(_ context.Context, bucket string, perMinute int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.HasPrefix(bucket, "login:") {
		if l.logins++; l.logins > perMinute {
			return &problem.Error{
				Kind: problem.Limited, Code: "rate_limited", Message: "Slower.", RetryAfter: time.Second,
			}
		}
	}
	return nil
}

func (l *memoryLimiter) Reserve(_ context.Context, _ string, _, tokens int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.exhausted {
		return &problem.Error{
			Kind: problem.Limited, Code: "token_budget_exceeded", Message: "No tokens left.", RetryAfter: time.Hour,
		}
	}
	l.used += tokens
	return nil
}

func (l *memoryLimiter) Settle(_ context.Context, _ string, difference int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used += difference
	return nil
}

func (l *memoryLimiter) total() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used
}

func (l *memoryLimiter) exhaust() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.exhausted = true
}

// memoryAnswers keeps answers by key.
type memoryAnswers struct {
	mu      sync.Mutex
	answers map[string]*agent.StoredAnswer
}

func (m *memoryAnswers) Begin(_ context.Context, tenant, scope, key string, _ []byte) (*agent.StoredAnswer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.answers[tenant+scope+key], nil
}

func (m *memoryAnswers) Finish(_ context.Context, tenant, scope, key string, a *agent.StoredAnswer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := *a
	kept.Body = bytes.Clone(a.Body)
	m.answers[tenant+scope+key] = &kept
	return nil
}

func (m *memoryAnswers) Forget(context.Context, string, string, string) error { return nil }
