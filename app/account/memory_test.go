package account

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"agentstack/app/problem"
)

var errAway = errors.New("connection refused")

// memory is a Store.
type memory struct {
	mu      sync.Mutex
	tenants map[string]Tenant
	users   map[string]User
	logins  map[string]Login
	keys    map[string]APIKey
	away    bool
	calls   map[string]int
	hold    chan struct{} // when set, lookups of keys wait until it is closed, or for their context
	slow    time.Duration // what a lookup of a user by id takes
}

func newMemory() *memory {
	return &memory{tenants: map[string]Tenant{}, users: map[string]User{}, logins: map[string]Login{},
		keys: map[string]APIKey{}, calls: map[string]int{}}
}

// enter locks the store, unless it is away.
func (m *memory) enter(call string) error {
	m.mu.Lock()
	m.calls[call]++
	if m.away {
		m.mu.Unlock()
		return errAway
	}
	return nil
}

func (m *memory) setAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

func (m *memory) count(call string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[call]
}

func (m *memory) CreateTenant(ctx context.Context, tenant *Tenant, owner *User) error {
	if err := m.CreateUser(ctx, owner); err != nil {
		return err
	}
	m.tenants[tenant.ID] = *tenant
	return nil
}

func (m *memory) CreateUser(_ context.Context, user *User) error {
	if err := m.enter("CreateUser"); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, other := range m.users {
		if other.Email == user.Email {
			return problem.New(problem.Conflict, "email_taken", "taken")
		}
	}
	m.users[user.ID] = *user
	return nil
}

func (m *memory) UserByEmail(_ context.Context, email string) (*User, error) {
	if err := m.enter("UserByEmail"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for _, user := range m.users {
		if user.Email == email {
			return &user, nil
		}
	}
	return nil, problem.Missing("user")
}

func (m *memory) UserByID(_ context.Context, id string) (*User, error) {
	time.Sleep(m.slow)
	if err := m.enter("UserByID"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	user, ok := m.users[id]
	return missing(&user, ok, "user")
}

func (m *memory) CreateLogin(_ context.Context, login *Login) error {
	if err := m.enter("CreateLogin"); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.logins[login.ID] = *login
	return nil
}

func (m *memory) LoginByID(_ context.Context, id string) (*Login, error) {
	if err := m.enter("LoginByID"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	login, ok := m.logins[id]
	return missing(&login, ok, "login")
}

func (m *memory) RotateLogin(_ context.Context, id string, old, new []byte, expires time.Time) (bool, error) {
	if err := m.enter("RotateLogin"); err != nil {
		return false, err
	}
	defer m.mu.Unlock()
	login := m.logins[id]
	if !bytes.Equal(login.TokenHash, old) {
		return false, nil
	}
	login.TokenHash, login.ExpiresAt = new, expires
	m.logins[id] = login
	return true, nil
}

func (m *memory) RevokeLogin(_ context.Context, id string) error {
	if err := m.enter("RevokeLogin"); err != nil {
		return err
	}
	defer m.mu.Unlock()
	login, ok := m.logins[id]
	if !ok {
		return problem.Missing("login")
	}
	at := now()
	login.RevokedAt = &at
	m.logins[id] = login
	return nil
}

func (m *memory) CreateKey(_ context.Context, key *APIKey) error {
	if err := m.enter("CreateKey"); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.keys[key.ID] = *key
	return nil
}

func (m *memory) KeyByID(ctx context.Context, id string) (*APIKey, error) {
	if err := m.enter("KeyByID"); err != nil {
		return nil, err
	}
	hold := m.hold
	m.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key, ok := m.keys[id]
	return missing(&key, ok, "API key")
}

func (m *memory) Keys(_ context.Context, tenant string, limit int, before string) ([]APIKey, error) {
	if err := m.enter("Keys"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var keys []APIKey
	for _, key := range m.keys {
		if key.TenantID == tenant && (before == "" || key.ID < before) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b APIKey) int { return strings.Compare(b.ID, a.ID) })
	return keys[:min(limit, len(keys))], nil
}

func (m *memory) RevokeKey(_ context.Context, tenant, id string) error {
	if err := m.enter("RevokeKey"); err != nil {
		return err
	}
	defer m.mu.Unlock()
	key, ok := m.keys[id]
	if !ok || key.TenantID != tenant {
		return problem.Missing("API key")
	}
	at := now()
	key.RevokedAt = &at
	m.keys[id] = key
	return nil
}

func missing[T any](value *T, ok bool, what string) (*T, error) {
	if !ok {
		return nil, problem.Missing(what)
	}
	return value, nil
}
