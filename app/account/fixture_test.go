package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"agentstack/app/problem"
)

// hasher counts instead of hashing.
type hasher struct{ hashed, verified int }

func (h *hasher) Hash(password string) (string, error) {
	h.hashed++
	return "hash of " + password, nil
}

func (h *hasher) Verify(password, hash string) (bool, error) {
	h.verified++
	return hash == "hash of "+password, nil
}

// signer writes claims down as they are.
type signer struct{}

func (signer) Sign(claims Claims) (string, error) {
	data, err := json.Marshal(claims)
	return string(data), err
}

func (signer) Verify(token string) (claims Claims, err error) {
	if json.Unmarshal([]byte(token), &claims) != nil {
		return claims, problem.New(problem.Unauthenticated, "invalid_token", "malformed")
	}
	if !claims.ExpiresAt.After(time.Now()) {
		return claims, problem.New(problem.Unauthenticated, "token_expired", "expired")
	}
	return claims, nil
}

// limiter remembers what it was asked.
type limiter struct {
	asked []string
	err   error
}

func (l *limiter) Allow(_ context.Context, bucket string, perMinute int) error {
	l.asked = append(l.asked, fmt.Sprintf("allow %s %d", bucket, perMinute))
	return l.err
}

func (l *limiter) Reserve(_ context.Context, bucket string, perDay, tokens int64) error {
	l.asked = append(l.asked, fmt.Sprintf("reserve %s %d %d", bucket, perDay, tokens))
	return l.err
}

func (l *limiter) Settle(ctx context.Context, bucket string, difference int64) error {
	if ctx.Err() == nil {
		l.asked = append(l.asked, fmt.Sprintf("settle %s %d", bucket, difference))
	}
	return ctx.Err()
}

// fixture is a service with everything around it in memory.
type fixture struct {
	*Service
	store   *memory
	hasher  *hasher
	limiter *limiter
}

func newFixture() *fixture {
	f := &fixture{store: newMemory(), hasher: &hasher{}, limiter: &limiter{}}
	var mu sync.Mutex
	ids := 0
	f.Service = &Service{Store: f.store, Hasher: f.hasher, Signer: signer{}, Limiter: f.limiter, SignUpToken: "welcome",
		NewID: func() string {
			mu.Lock()
			defer mu.Unlock()
			ids++
			return fmt.Sprintf("01900000-0000-7000-8000-%012x", ids)
		}}
	return f
}

const (
	email    = "ada@example.com"
	password = "correct horse battery"
)

// owner signs up and returns the owner's principal.
func (f *fixture) owner(t *testing.T) *Principal {
	t.Helper()
	user, tenant, err := f.SignUp(t.Context(), "welcome", email, password, "Analytical Engines")
	if err != nil {
		t.Fatalf("sign up: %v", err)
	}
	return &Principal{TenantID: tenant.ID, UserID: user.ID, Scopes: user.Role.Scopes()}
}

func (f *fixture) login(t *testing.T) *Tokens {
	t.Helper()
	tokens, err := f.Login(t.Context(), email, password)
	if err != nil {
		t.Fatalf("log in: %v", err)
	}
	return tokens
}

func (f *fixture) key(t *testing.T, by *Principal, spec KeySpec) (*APIKey, string) {
	t.Helper()
	if spec.Name == "" {
		spec.Name = "ci"
	}
	if spec.Scopes == nil {
		spec.Scopes = []Scope{ScopeChat}
	}
	key, text, err := f.CreateKey(t.Context(), by, spec)
	if err != nil {
		t.Fatalf("create key: %v", err)
	}
	return key, text
}

// wantCode checks for a problem's kind and code; both empty is no error.
func wantCode(t *testing.T, err error, kind problem.Kind, code string) {
	t.Helper()
	var got problem.Error
	if known := (*problem.Error)(nil); errors.As(err, &known) {
		got = *known
	} else if err != nil {
		t.Fatalf("error %v is no problem, want %s %s", err, kind, code)
	}
	if got.Kind != kind || got.Code != code {
		t.Fatalf("problem %q %q (%v), want %q %q", got.Kind, got.Code, err, kind, code)
	}
}
