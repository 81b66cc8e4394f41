package account

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"agentstack/app/problem"
)

func TestAuthenticateRefused(t *testing.T) {
	f := newFixture()
	by := f.owner(t)
	_, text := f.key(t, by, KeySpec{})
	_, other := f.key(t, by, KeySpec{})
	for name, test := range map[string]struct{ bearer, code string }{
		"nothing":                {"", "missing_credentials"},
		"no token":               {"hello", "invalid_token"},
		"a refresh token":        {f.login(t).RefreshToken, "invalid_token"},
		"prefix only":            {"ask_", "invalid_api_key"},
		"unknown id":             {"ask_" + strings.Repeat("f", 32) + text[36:], "invalid_api_key"},
		"secret of another key":  {text[:37] + other[37:], "invalid_api_key"},
		"last character missing": {text[:len(text)-1], "invalid_api_key"},
		"one character more":     {text + "A", "invalid_api_key"},
		"id in upper case":       {strings.ToUpper(text[:36]) + text[36:], "invalid_token"},
		"digit in upper case":    {strings.Replace(text, "ask_0190", "ask_019F", 1), "invalid_api_key"},
		"another separator":      {text[:36] + "-" + text[37:], "invalid_api_key"},
		"invalid UTF-8":          {"ask_" + strings.Repeat("\xff", 32) + text[36:], "invalid_api_key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.Authenticate(t.Context(), test.bearer)
			wantCode(t, err, problem.Unauthenticated, test.code)
		})
	}
}

func TestKeyExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		at := time.Now().Add(3 * time.Second)
		_, text := f.key(t, f.owner(t), KeySpec{ExpiresAt: &at})
		if _, err := f.Authenticate(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second) // less than a lookup is used for
		_, err := f.Authenticate(t.Context(), text)
		wantCode(t, err, problem.Unauthenticated, "invalid_api_key")
	})
}

func TestLookupsAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		_, good := f.key(t, f.owner(t), KeySpec{})
		unknown := "ask_" + strings.Repeat("f", 32) + good[36:]
		for range 4 { // at 0, 2, 4 and 6 s
			if _, err := f.Authenticate(t.Context(), good); err != nil {
				t.Fatal(err)
			}
			_, err := f.Authenticate(t.Context(), unknown)
			wantCode(t, err, problem.Unauthenticated, "invalid_api_key")
			time.Sleep(2 * time.Second)
		}
		if got := f.store.count("KeyByID"); got != 4 {
			t.Errorf("%d lookups of 2 keys in 6 s, want 4", got)
		}
	})
}

// Another replica revokes: the store knows, this process does not.
func TestRevocationHoldsWithin5Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		by := f.owner(t)
		key, text := f.key(t, by, KeySpec{})
		tokens := f.login(t)
		bearers := map[string]string{text: "invalid_api_key", tokens.AccessToken: "invalid_token"}
		for bearer := range bearers {
			if _, err := f.Authenticate(t.Context(), bearer); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.store.RevokeKey(t.Context(), by.TenantID, key.ID); err != nil {
			t.Fatal(err)
		}
		for id := range f.store.logins {
			if err := f.store.RevokeLogin(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(credentialAge)
		for bearer, code := range bearers {
			_, err := f.Authenticate(t.Context(), bearer)
			wantCode(t, err, problem.Unauthenticated, code)
		}
	})
}

func TestRevocationHereHoldsAtOnce(t *testing.T) {
	f := newFixture()
	by := f.owner(t)
	key, text := f.key(t, by, KeySpec{})
	if _, err := f.Authenticate(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	if err := f.RevokeKey(t.Context(), by, key.ID); err != nil {
		t.Fatal(err)
	}
	_, err := f.Authenticate(t.Context(), text)
	wantCode(t, err, problem.Unauthenticated, "invalid_api_key")
}

func TestRoleIsThatOfNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		owner := f.owner(t)
		tokens := f.login(t)
		user := f.store.users[owner.UserID]
		user.Role = RoleMember
		f.store.users[owner.UserID] = user
		principal, err := f.Authenticate(t.Context(), tokens.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		if principal.Has(ScopeAdmin) {
			t.Error("the role is that of the token")
		}
	})
}

func TestGoodCredentialsOutlastTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		by := f.owner(t)
		_, good := f.key(t, by, KeySpec{})
		revoked, revokedText := f.key(t, by, KeySpec{})
		if err := f.RevokeKey(t.Context(), by, revoked.ID); err != nil {
			t.Fatal(err)
		}
		unknown := "ask_" + strings.Repeat("f", 32) + good[36:]
		bearers := []string{good, f.login(t).AccessToken, revokedText, unknown}
		for _, bearer := range bearers {
			_, _ = f.Authenticate(t.Context(), bearer)
		}
		f.store.setAway(true)
		for range 4 * 64 { // up to 64 s
			time.Sleep(time.Second / 4)
			for _, bearer := range bearers[:2] {
				if _, err := f.Authenticate(t.Context(), bearer); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := f.store.count("KeyByID"); got > 3+60 {
			t.Errorf("a store that is away was asked %d times for one key", got)
		}
		for _, bearer := range bearers[2:] {
			_, err := f.Authenticate(t.Context(), bearer)
			wantCode(t, err, problem.Unavailable, "storage_unavailable")
		}
		time.Sleep(time.Second)
		for _, bearer := range bearers {
			_, err := f.Authenticate(t.Context(), bearer)
			wantCode(t, err, problem.Unavailable, "storage_unavailable")
		}
		f.store.setAway(false)
		for _, bearer := range bearers[:2] {
			if _, err := f.Authenticate(t.Context(), bearer); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAuthenticateDoesNotAllocate(t *testing.T) {
	f := newFixture()
	_, text := f.key(t, f.owner(t), KeySpec{})
	ctx := t.Context()
	allocations := testing.AllocsPerRun(1000, func() {
		if _, err := f.Authenticate(ctx, text); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 0 {
		t.Errorf("%g allocations per request", allocations)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	f := newFixture()
	user, tenant, err := f.SignUp(b.Context(), "welcome", email, password, "Engines")
	if err != nil {
		b.Fatal(err)
	}
	by := &Principal{TenantID: tenant.ID, UserID: user.ID, Scopes: Scopes()}
	_, text, err := f.CreateKey(b.Context(), by, KeySpec{Name: "b", Scopes: Scopes()})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := f.Authenticate(b.Context(), text); err != nil {
			b.Fatal(err)
		}
	}
}
