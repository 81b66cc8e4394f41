package account

import (
	"slices"
	"strings"
	"testing"
	"time"

	"agentstack/app/problem"
)

func TestSignUp(t *testing.T) {
	const unauthenticated = problem.Unauthenticated
	invalid, value, long := problem.Invalid, "invalid_value", strings.Repeat("a", 243)
	for name, test := range map[string]struct {
		token, email, password, tenant string
		off                            bool
		kind                           problem.Kind
		code                           string
	}{
		"good":               {"welcome", email, password, "Engines", false, "", ""},
		"upper case":         {"welcome", "ADA@Example.com", password, "Engines", false, "", ""},
		"turned off":         {"", email, password, "Engines", true, problem.Forbidden, "signup_disabled"},
		"wrong token":        {"welcom", email, password, "Engines", false, unauthenticated, "invalid_signup_token"},
		"no token":           {"", email, password, "Engines", false, unauthenticated, "invalid_signup_token"},
		"no email":           {"welcome", "", password, "Engines", false, invalid, value},
		"email with name":    {"welcome", "A <a@example.com>", password, "Engines", false, invalid, value},
		"two emails":         {"welcome", "a@example.com, b@b", password, "Engines", false, invalid, value},
		"email with newline": {"welcome", "ada@example.com\n", password, "Engines", false, invalid, value},
		"email, not UTF-8":   {"welcome", "ad\xff@example.com", password, "Engines", false, invalid, value},
		"email of 255 bytes": {"welcome", long + "@example.com", password, "Engines", false, invalid, value},
		"email of 254 bytes": {"welcome", long[1:] + "@example.com", password, "Engines", false, "", ""},
		"short password":     {"welcome", email, "12345678901", "Engines", false, invalid, value},
		"password of 12":     {"welcome", email, "123456789012", "Engines", false, "", ""},
		"password of 1024":   {"welcome", email, strings.Repeat("p", 1024), "Engines", false, "", ""},
		"password of 1025":   {"welcome", email, strings.Repeat("p", 1025), "Engines", false, invalid, value},
		"no tenant":          {"welcome", email, password, " ", false, invalid, value},
		"tenant of 200":      {"welcome", email, password, strings.Repeat("ä", 200), false, "", ""},
		"tenant of 201":      {"welcome", email, password, strings.Repeat("ä", 201), false, invalid, value},
		"tenant with NUL":    {"welcome", email, password, "a\x00b", false, invalid, value},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			if test.off {
				f.SignUpToken = ""
			}
			user, tenant, err := f.SignUp(t.Context(), test.token, test.email, test.password, test.tenant)
			wantCode(t, err, test.kind, test.code)
			if err != nil {
				if f.hasher.hashed > 0 || len(f.store.users) > 0 {
					t.Error("a refused request did work")
				}
				return
			}
			stored := f.store.users[user.ID]
			if stored.Email != strings.ToLower(test.email) || stored.Role != RoleOwner || stored.TenantID != tenant.ID {
				t.Errorf("stored %+v", stored)
			}
			if f.store.tenants[tenant.ID].Name != test.tenant {
				t.Errorf("stored %+v", f.store.tenants)
			}
		})
	}
}

func TestCreateUser(t *testing.T) {
	admin := []Scope{ScopeAdmin}
	for name, test := range map[string]struct {
		email  string
		role   Role
		scopes []Scope
		kind   problem.Kind
		code   string
	}{
		"member":                    {"bob@example.com", RoleMember, Scopes(), "", ""},
		"owner":                     {"bob@example.com", RoleOwner, Scopes(), "", ""},
		"unknown role":              {"bob@example.com", "root", Scopes(), problem.Invalid, "invalid_value"},
		"email of another":          {"Ada@example.com", RoleMember, Scopes(), problem.Conflict, "email_taken"},
		"member by a key for admin": {"bob@example.com", RoleMember, admin, problem.Forbidden, "scope_exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			by := f.owner(t)
			by.Scopes = test.scopes
			user, err := f.CreateUser(t.Context(), by, test.email, password, test.role)
			wantCode(t, err, test.kind, test.code)
			if err == nil && (user.TenantID != by.TenantID || user.Role != test.role) {
				t.Errorf("made %+v", user)
			}
		})
	}
}

func TestCreateKey(t *testing.T) {
	past, soon := time.Now(), time.Now().Add(time.Hour)
	chat := []Scope{ScopeChat}
	invalid, value := problem.Invalid, "invalid_value"
	for name, test := range map[string]struct {
		spec KeySpec
		kind problem.Kind
		code string
	}{
		"good":                {KeySpec{"ci", []Scope{ScopeAgents, ScopeChat}, 1_000_000, 5, &soon}, "", ""},
		"no name":             {KeySpec{"", chat, 0, 0, nil}, invalid, value},
		"name with newline":   {KeySpec{"a\nb", chat, 0, 0, nil}, invalid, value},
		"name, not UTF-8":     {KeySpec{"\xff", chat, 0, 0, nil}, invalid, value},
		"no scope":            {KeySpec{"ci", nil, 0, 0, nil}, invalid, value},
		"unknown scope":       {KeySpec{"ci", []Scope{"root"}, 0, 0, nil}, invalid, value},
		"more than its maker": {KeySpec{"ci", []Scope{ScopeKnowledge}, 0, 0, nil}, problem.Forbidden, "scope_exceeded"},
		"too many requests":   {KeySpec{"ci", chat, 1_000_001, 0, nil}, invalid, value},
		"negative requests":   {KeySpec{"ci", chat, -1, 0, nil}, invalid, value},
		"negative tokens":     {KeySpec{"ci", chat, 0, -1, nil}, invalid, value},
		"expired":             {KeySpec{"ci", chat, 0, 0, &past}, invalid, value},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			by := f.owner(t)
			by.Scopes = []Scope{ScopeChat, ScopeAgents, ScopeAdmin}
			key, text, err := f.CreateKey(t.Context(), by, test.spec)
			wantCode(t, err, test.kind, test.code)
			if err != nil {
				return
			}
			secret := text[strings.LastIndexByte(text, '_')+1:]
			if strings.Contains(string(f.store.keys[key.ID].KeyHash), secret) {
				t.Error("the secret is stored")
			}
			principal, err := f.Authenticate(t.Context(), text)
			if err != nil {
				t.Fatal(err)
			}
			if principal.KeyID != key.ID || principal.TenantID != by.TenantID ||
				principal.RequestsPerMinute != 1_000_000 || principal.TokensPerDay != 5 ||
				!slices.Equal(principal.Scopes, test.spec.Scopes) {
				t.Errorf("principal %+v", principal)
			}
		})
	}
}

func TestKeysOfAnotherTenant(t *testing.T) {
	f := newFixture()
	by := f.owner(t)
	key, text := f.key(t, by, KeySpec{})
	stranger := &Principal{TenantID: "other", Scopes: Scopes()}
	if keys, err := f.Keys(t.Context(), stranger, 10, ""); err != nil || len(keys) > 0 {
		t.Errorf("a stranger sees %v, %v", keys, err)
	}
	wantCode(t, f.RevokeKey(t.Context(), stranger, key.ID), problem.NotFound, "not_found")
	if _, err := f.Authenticate(t.Context(), text); err != nil {
		t.Errorf("a stranger revoked the key: %v", err)
	}
	if keys, err := f.Keys(t.Context(), by, 10, ""); err != nil || len(keys) != 1 {
		t.Errorf("the tenant sees %v, %v", keys, err)
	}
}

// A lost database is a 503 with Retry-After everywhere, never a 401.
func TestStorageAway(t *testing.T) {
	f := newFixture()
	by := f.owner(t)
	tokens := f.login(t)
	_, text := f.key(t, by, KeySpec{})
	f.store.setAway(true)
	ctx, good, role := t.Context(), KeySpec{Name: "b", Scopes: Scopes()}, RoleMember
	for name, call := range map[string]func() error{
		"sign up":      func() error { _, _, err := f.SignUp(ctx, "welcome", "b@b", password, "B"); return err },
		"create user":  func() error { _, err := f.CreateUser(ctx, by, "b@b", password, role); return err },
		"log in":       func() error { _, err := f.Login(ctx, email, password); return err },
		"refresh":      func() error { _, err := f.Refresh(ctx, tokens.RefreshToken); return err },
		"log out":      func() error { return f.Logout(ctx, tokens.RefreshToken) },
		"create key":   func() error { _, _, err := f.CreateKey(ctx, by, good); return err },
		"keys":         func() error { _, err := f.Keys(ctx, by, 1, ""); return err },
		"revoke key":   func() error { return f.RevokeKey(ctx, by, f.NewID()) },
		"API key":      func() error { _, err := f.Authenticate(ctx, text); return err },
		"access token": func() error { _, err := f.Authenticate(ctx, tokens.AccessToken); return err },
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, call(), problem.Unavailable, "storage_unavailable") })
	}
}
