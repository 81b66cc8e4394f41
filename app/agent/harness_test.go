package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"agentstack/app/problem"
)

// memoryStore is a SessionStore in memory.
type memoryStore struct {
	SessionStore // what the tests do not use

	mu       sync.Mutex
	owner    map[string]string // tenant by id
	agents   map[string]Agent
	sessions map[string]Session
	messages []Message // oldest first
	failing  error     // of FinishMessage
	delay    time.Duration
}

func newMemoryStore() *memoryStore {
	return &memoryStore{owner: map[string]string{}, agents: map[string]Agent{}, sessions: map[string]Session{}}
}

func (m *memoryStore) CreateAgent(_ context.Context, tenant string, agent *Agent) error {
	m.owner[agent.ID], m.agents[agent.ID] = tenant, *agent
	return nil
}

func (m *memoryStore) UpdateAgent(ctx context.Context, tenant string, agent *Agent) error {
	return m.CreateAgent(ctx, tenant, agent)
}

func (m *memoryStore) Agent(_ context.Context, tenant, id string) (*Agent, error) {
	agent, ok := m.agents[id]
	if !ok || m.owner[id] != tenant {
		return nil, problem.Missing("agent")
	}
	return &agent, nil
}

func (m *memoryStore) CreateSession(_ context.Context, tenant string, session *Session) error {
	m.owner[session.ID], m.sessions[session.ID] = tenant, *session
	return nil
}

func (m *memoryStore) Session(_ context.Context, tenant, id string) (*Session, error) {
	session, ok := m.sessions[id]
	if !ok || m.owner[id] != tenant {
		return nil, problem.Missing("session")
	}
	return &session, nil
}

func (m *memoryStore) DeleteSession(context.Context, string, string) error { return nil }

func (m *memoryStore) AddTurn(_ context.Context, tenant string, question, answer *Message, _ time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, message := range m.messages {
		if message.SessionID == question.SessionID && message.Status == MessageInProgress {
			return problem.New(problem.Conflict, "answer_in_progress", "An answer is in progress.")
		}
	}
	m.owner[question.ID], m.owner[answer.ID] = tenant, tenant
	m.messages = append(m.messages, *question, *answer)
	return nil
}

func (m *memoryStore) FinishMessage(_ context.Context, _ string, answer *Message) error {
	time.Sleep(m.delay)
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.messages {
		if m.messages[i].ID == answer.ID && m.failing == nil {
			m.messages[i] = *answer
		}
	}
	return m.failing
}

func (m *memoryStore) Message(_ context.Context, tenant, id string) (*Message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, message := range m.messages {
		if message.ID == id && m.owner[id] == tenant {
			return &message, nil
		}
	}
	return nil, problem.Missing("message")
}

func (m *memoryStore) Messages(_ context.Context, tenant, sessionID string, page Page) ([]Message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var messages []Message
	for _, message := range slices.Backward(m.messages) {
		wanted := message.SessionID == sessionID && m.owner[message.ID] == tenant
		if wanted && (page.Before == "" || message.ID < page.Before) && len(messages) <= page.Limit {
			messages = append(messages, message)
		}
	}
	return messages, nil
}

// scriptedModel streams what the test sends. Closing the channel ends the answer.
type scriptedModel struct {
	Model
	chunks   chan Chunk
	requests chan *ChatRequest
	fails    error // instead of streaming
	breaks   error // instead of the end
	panics   bool
}

func newScriptedModel() *scriptedModel {
	return &scriptedModel{chunks: make(chan Chunk), requests: make(chan *ChatRequest, 100)}
}

func (m *scriptedModel) say(texts ...string) {
	for _, text := range texts {
		m.chunks <- Chunk{Delta: Answer{Text: text}}
	}
}

func (m *scriptedModel) Stream(ctx context.Context, request *ChatRequest) (Stream, error) {
	m.requests <- request
	if m.panics {
		panic("model")
	}
	if m.fails != nil {
		return nil, m.fails
	}
	return &scriptedStream{m, ctx}, nil
}

type scriptedStream struct {
	model *scriptedModel
	ctx   context.Context
}

func (s *scriptedStream) Next() (Chunk, error) {
	select {
	case chunk, ok := <-s.model.chunks:
		if !ok && s.model.breaks != nil {
			return Chunk{}, s.model.breaks
		}
		if !ok {
			return Chunk{}, io.EOF
		}
		return chunk, nil
	case <-s.ctx.Done():
		return Chunk{}, context.Cause(s.ctx)
	}
}

func (*scriptedStream) Close() error { return nil }

// catalog has one model, m.
type catalog int

func (c catalog) Model(name string) (ModelSpec, bool) {
	return ModelSpec{Name: name, ContextTokens: int(c)}, name == "m"
}

func (c catalog) Models() []ModelSpec { return nil }

// memoryLog is an EventLog and Signals in memory.
type memoryLog struct {
	mu      sync.Mutex
	events  map[string][]Event
	appends int
	signals map[string]time.Time
	failing error
}

func newMemoryLog() *memoryLog {
	return &memoryLog{events: map[string][]Event{}, signals: map[string]time.Time{}}
}

func (l *memoryLog) Append(_ context.Context, id string, events []Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing == nil {
		l.appends++
		l.events[id] = append(l.events[id], events...)
	}
	return l.failing
}

func (l *memoryLog) Read(ctx context.Context, id string, after int, wait time.Duration) ([]Event, error) {
	for deadline := time.Now().Add(wait); ; {
		l.mu.Lock()
		events, err := l.events[id], l.failing
		l.mu.Unlock()
		if i := slices.IndexFunc(events, func(e Event) bool { return e.Seq > after }); err == nil && i >= 0 {
			return slices.Clone(events[i:]), nil
		}
		if err != nil || time.Now().After(deadline) || wait == 0 {
			return nil, err
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func (l *memoryLog) Send(_ context.Context, id string, signal Signal) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.signals[id+string(signal)] = time.Now()
	return nil
}

func (l *memoryLog) Sent(_ context.Context, id string, signal Signal) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent, ok := l.signals[id+string(signal)]
	return ok && time.Since(sent) <= time.Minute, nil
}

const tenant, sessionID = "tenant", "session"

// replica is a process with its own runs; replicas share store and log.
func (m *memoryStore) replica(model Model, log *memoryLog) *Sessions {
	ids := len(m.messages)
	sessions := &Sessions{
		Store: m, Model: model, Catalog: catalog(10_000), Log: slog.New(slog.DiscardHandler),
		NewID: func() string { ids++; return fmt.Sprintf("id-%06d", ids) },
	}
	if log != nil {
		sessions.Events, sessions.Signals = log, log
	}
	return sessions
}

// newSessions returns a process with a session whose agent has a system prompt.
func newSessions(change func(*Agent)) (*Sessions, *memoryStore, *scriptedModel) {
	store, model := newMemoryStore(), newScriptedModel()
	agent := Agent{ID: "agent", Name: "a", Model: "m", SystemPrompt: "Be brief."}
	if change != nil {
		change(&agent)
	}
	store.owner["agent"], store.agents["agent"] = tenant, agent
	store.owner[sessionID], store.sessions[sessionID] = tenant, Session{ID: sessionID, AgentID: "agent"}
	return store.replica(model, nil), store, model
}

func ask(t *testing.T, sessions *Sessions, content string) *Run {
	t.Helper()
	run, err := sessions.Ask(t.Context(), tenant, sessionID, content, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { <-run.done }) // nothing may be left in the bubble of synctest
	return run
}

func promptOf(t *testing.T, request *ChatRequest) []promptMessage {
	t.Helper()
	if _, err := ParseChatRequest(request.Body); err != nil {
		t.Fatalf("request is not valid: %v", err)
	}
	var body struct{ Messages []promptMessage }
	if err := json.Unmarshal(request.Body, &body); err != nil {
		t.Fatal(err)
	}
	return body.Messages
}
