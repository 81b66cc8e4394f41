package http

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/knowledge"
	"agentstack/app/problem"
)

// row is a thing of a tenant.
type row[T any] struct {
	tenant, id string
	value      T
}

// table keeps rows in memory.
type table[T any] struct {
	mu   sync.Mutex
	rows []row[T]
}

func (t *table[T]) put(tenant, id string, value T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.rows, func(r row[T]) bool { return r.id == id })
	if i < 0 {
		t.rows = append(t.rows, row[T]{tenant, id, value})
		return
	}
	t.rows[i].value = value
}

// get looks over all tenants when tenant is empty.
func (t *table[T]) get(what, tenant, id string) (*T, error) {
	found := t.where(func(r row[T]) bool { return (tenant == "" || r.tenant == tenant) && r.id == id })
	if len(found) == 0 {
		return nil, problem.Missing(what)
	}
	return &found[0], nil
}

func (t *table[T]) where(matches func(row[T]) bool) []T {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []T
	for _, r := range t.rows {
		if matches(r) {
			found = append(found, r.value)
		}
	}
	return found
}

// list is newest first; later ids are greater.
func (t *table[T]) list(tenant string, limit int, before string, matches func(T) bool) []T {
	t.mu.Lock()
	rows := slices.Clone(t.rows)
	t.mu.Unlock()
	slices.SortFunc(rows, func(a, b row[T]) int { return cmp.Compare(b.id, a.id) })
	var found []T
	for _, r := range rows {
		if r.tenant == tenant && (before == "" || r.id < before) && matches(r.value) && len(found) < limit {
			found = append(found, r.value)
		}
	}
	return found
}

func (t *table[T]) remove(what, tenant, id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.rows, func(r row[T]) bool { return r.tenant == tenant && r.id == id })
	if i < 0 {
		return problem.Missing(what)
	}
	t.rows = slices.Delete(t.rows, i, i+1)
	return nil
}

func every[T any](T) bool { return true }

type memoryAccounts struct {
	users  table[account.User]
	logins table[account.Login]
	keys   table[account.APIKey]
}

func (m *memoryAccounts) CreateTenant(ctx context.Context, _ *account.Tenant, owner *account.User) error {
	return m.CreateUser(ctx, owner)
}

func (m *memoryAccounts) CreateUser(ctx context.Context, user *account.User) error {
	if _, err := m.UserByEmail(ctx, user.Email); err == nil {
		return problem.New(problem.Conflict, "email_taken", "The address is taken.")
	}
	m.users.put(user.TenantID, user.ID, *user)
	return nil
}

func (m *memoryAccounts) UserByEmail(_ context.Context, email string) (*account.User, error) {
	users := m.users.where(func(r row[account.User]) bool { return r.value.Email == email })
	if len(users) == 0 {
		return nil, problem.Missing("user")
	}
	return &users[0], nil
}

func (m *memoryAccounts) UserByID(_ context.Context, id string) (*account.User, error) {
	return m.users.get("user", "", id)
}

func (m *memoryAccounts) CreateLogin(_ context.Context, login *account.Login) error {
	m.logins.put(login.TenantID, login.ID, *login)
	return nil
}

func (m *memoryAccounts) LoginByID(_ context.Context, id string) (*account.Login, error) {
	return m.logins.get("login", "", id)
}

func (m *memoryAccounts) RotateLogin(_ context.Context, id string, old, new []byte, end time.Time) (bool, error) {
	login, err := m.logins.get("login", "", id)
	if err != nil || !bytes.Equal(login.TokenHash, old) {
		return false, err
	}
	login.TokenHash, login.ExpiresAt = new, end
	m.logins.put(login.TenantID, id, *login)
	return true, nil
}

func (m *memoryAccounts) RevokeLogin(_ context.Context, id string) error {
	login, err := m.logins.get("login", "", id)
	if err != nil {
		return err
	}
	now := time.Now()
	login.RevokedAt = &now
	m.logins.put(login.TenantID, id, *login)
	return nil
}

func (m *memoryAccounts) CreateKey(_ context.Context, key *account.APIKey) error {
	m.keys.put(key.TenantID, key.ID, *key)
	return nil
}

func (m *memoryAccounts) KeyByID(_ context.Context, id string) (*account.APIKey, error) {
	return m.keys.get("API key", "", id)
}

func (m *memoryAccounts) Keys(_ context.Context, tenant string, limit int, before string) ([]account.APIKey, error) {
	return m.keys.list(tenant, limit, before, every), nil
}

func (m *memoryAccounts) RevokeKey(_ context.Context, tenant, id string) error {
	key, err := m.keys.get("API key", tenant, id)
	if err != nil || key.RevokedAt != nil {
		return problem.Missing("API key")
	}
	now := time.Now()
	key.RevokedAt = &now
	m.keys.put(tenant, id, *key)
	return nil
}

type memorySessions struct {
	agents   table[agent.Agent]
	sessions table[agent.Session]
	messages table[agent.Message]
}

func (m *memorySessions) CreateAgent(_ context.Context, tenant string, a *agent.Agent) error {
	m.agents.put(tenant, a.ID, *a)
	return nil
}

func (m *memorySessions) Agent(_ context.Context, tenant, id string) (*agent.Agent, error) {
	return m.agents.get("agent", tenant, id)
}

func (m *memorySessions) Agents(_ context.Context, tenant string, page agent.Page) ([]agent.Agent, error) {
	return m.agents.list(tenant, page.Limit+1, page.Before, every), nil
}

func (m *memorySessions) UpdateAgent(_ context.Context, tenant string, a *agent.Agent) error {
	m.agents.put(tenant, a.ID, *a)
	return nil
}

func (m *memorySessions) DeleteAgent(_ context.Context, tenant, id string) error {
	return m.agents.remove("agent", tenant, id)
}

func (m *memorySessions) CreateSession(_ context.Context, tenant string, session *agent.Session) error {
	if _, err := m.agents.get("agent", tenant, session.AgentID); err != nil {
		return err
	}
	m.sessions.put(tenant, session.ID, *session)
	return nil
}

func (m *memorySessions) Session(_ context.Context, tenant, id string) (*agent.Session, error) {
	return m.sessions.get("session", tenant, id)
}

func (m *memorySessions) Sessions(_ context.Context, tenant string, page agent.Page) ([]agent.Session, error) {
	return m.sessions.list(tenant, page.Limit+1, page.Before, every), nil
}

func (m *memorySessions) DeleteSession(_ context.Context, tenant, id string) error {
	return m.sessions.remove("session", tenant, id)
}

func (m *memorySessions) AddTurn(
	_ context.Context, tenant string, question, answer *agent.Message, _ time.Duration,
) error {
	busy := m.messages.list(tenant, 1, "", func(message agent.Message) bool {
		return message.SessionID == question.SessionID && message.Status == agent.MessageInProgress
	})
	if len(busy) > 0 {
		return problem.New(problem.Conflict, "answer_in_progress", "Another answer is in progress.")
	}
	m.messages.put(tenant, question.ID, *question)
	m.messages.put(tenant, answer.ID, *answer)
	return nil
}

func (m *memorySessions) FinishMessage(_ context.Context, tenant string, answer *agent.Message) error {
	m.messages.put(tenant, answer.ID, *answer)
	return nil
}

func (m *memorySessions) Message(_ context.Context, tenant, id string) (*agent.Message, error) {
	return m.messages.get("message", tenant, id)
}

func (m *memorySessions) Messages(
	_ context.Context, tenant, session string, page agent.Page,
) ([]agent.Message, error) {
	if _, err := m.sessions.get("session", tenant, session); err != nil {
		return nil, err
	}
	return m.messages.list(tenant, page.Limit+1, page.Before, func(message agent.Message) bool {
		return message.SessionID == session
	}), nil
}

type memoryDocuments struct {
	documents table[knowledge.Document]
	hits      table[knowledge.Hit]
}

func (m *memoryDocuments) PutDocument(
	_ context.Context, tenant string, d *knowledge.Document, chunks []knowledge.Chunk,
) error {
	m.documents.put(tenant, d.ID, *d)
	for _, c := range chunks {
		m.hits.put(tenant, c.ID, knowledge.Hit{
			DocumentID: d.ID, ChunkID: c.ID, Title: d.Title, Heading: c.Heading, Text: c.Text, Ordinal: c.Ordinal,
			Score: 0.5,
		})
	}
	return nil
}

func (m *memoryDocuments) Document(_ context.Context, tenant, id string) (*knowledge.Document, error) {
	return m.documents.get("document", tenant, id)
}

func (m *memoryDocuments) Documents(
	_ context.Context, tenant string, limit int, before string,
) ([]knowledge.Document, error) {
	documents := m.documents.list(tenant, limit, before, every)
	for i := range documents {
		documents[i].Content = ""
	}
	return documents, nil
}

func (m *memoryDocuments) DeleteDocument(_ context.Context, tenant, id string) error {
	return m.documents.remove("document", tenant, id)
}

func (m *memoryDocuments) SearchVector(
	_ context.Context, tenant string, _ []float32, limit int,
) ([]knowledge.Hit, error) {
	return m.hits.list(tenant, limit, "", every), nil
}

func (m *memoryDocuments) SearchText(_ context.Context, tenant, query string, limit int) ([]knowledge.Hit, error) {
	return m.hits.list(tenant, limit, "", func(hit knowledge.Hit) bool {
		return strings.Contains(strings.ToLower(hit.Text), strings.ToLower(query))
	}), nil
}
