package account

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"agentstack/app/problem"
)

func TestLogin(t *testing.T) {
	f := newFixture()
	owner := f.owner(t)
	tokens, err := f.Login(t.Context(), "Ada@Example.com", password)
	if err != nil {
		t.Fatal(err)
	}
	if tokens.ExpiresIn != 15*time.Minute || !strings.HasPrefix(tokens.RefreshToken, "asr_") {
		t.Errorf("tokens %+v", tokens)
	}
	principal, err := f.Authenticate(t.Context(), tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if principal.UserID != owner.UserID || principal.TenantID != owner.TenantID || principal.LoginID == "" ||
		!principal.Has(ScopeAdmin) {
		t.Errorf("principal %+v", principal)
	}
}

// Nobody learns by answer or time whether an address has an account: the hasher does the same work.
func TestLoginRefused(t *testing.T) {
	f := newFixture()
	f.owner(t)
	_ = f.login(t) // makes the dummy hash
	for name, test := range map[string]struct {
		email, password string
		verified        int
	}{
		"wrong password":           {email, "wrong horse battery", 1},
		"unknown email":            {"bob@example.com", password, 1},
		"empty password":           {email, "", 1},
		"empty, unknown":           {"bob@example.com", "", 1},
		"no email at all":          {"ada", password, 0},
		"password of 1025, known":  {email, strings.Repeat("p", 1025), 0},
		"password of 1025":         {"bob@example.com", strings.Repeat("p", 1025), 0},
		"email that is no text":    {"\x00@example.com", password, 0},
		"email as SQL, not quoted": {"a' or 1=1 --@example.com", password, 0},
	} {
		t.Run(name, func(t *testing.T) {
			before := *f.hasher
			_, err := f.Login(t.Context(), test.email, test.password)
			wantCode(t, err, problem.Unauthenticated, "invalid_credentials")
			if f.hasher.verified-before.verified != test.verified || f.hasher.hashed != before.hashed {
				t.Errorf("hasher went from %+v to %+v", before, *f.hasher)
			}
		})
	}
}

// The very first login makes the dummy hash, whoever it is.
func TestFirstLoginCostsTheSame(t *testing.T) {
	cost := func(email string) hasher {
		f := newFixture()
		f.owner(t)
		_, _ = f.Login(t.Context(), email, "wrong horse battery")
		return *f.hasher
	}
	if known, unknown := cost(email), cost("bob@example.com"); known != unknown {
		t.Errorf("known %+v, unknown %+v", known, unknown)
	}
}

func TestLoginIsLimitedPerEmail(t *testing.T) {
	f := newFixture()
	f.owner(t)
	f.login(t)
	_, _ = f.Login(t.Context(), "ADA@example.com", "wrong")
	_, _ = f.Login(t.Context(), "bob@example.com", "wrong")
	asked := f.limiter.asked
	if len(asked) != 3 || asked[0] != asked[1] || asked[1] == asked[2] ||
		!strings.HasPrefix(asked[0], "allow login:") || !strings.HasSuffix(asked[0], " 10") ||
		strings.Contains(asked[0], "ada") {
		t.Errorf("asked %q", asked)
	}
	f.limiter.err = problem.New(problem.Limited, "rate_limit_exceeded", "slow down")
	before := f.hasher.verified
	_, err := f.Login(t.Context(), email, password)
	wantCode(t, err, problem.Limited, "rate_limit_exceeded")
	if f.hasher.verified != before {
		t.Error("a password over the limit was checked")
	}
}

func TestRefresh(t *testing.T) {
	f := newFixture()
	f.owner(t)
	first := f.login(t)
	second, err := f.Refresh(t.Context(), first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	third, err := f.Refresh(t.Context(), second.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if first.RefreshToken == second.RefreshToken || second.RefreshToken == third.RefreshToken {
		t.Error("a refresh token came twice")
	}
	if _, err := f.Authenticate(t.Context(), third.AccessToken); err != nil {
		t.Error(err)
	}
}

// A thief and the owner hold the same token. Whoever comes second ends the login for both.
func TestStolenRefreshToken(t *testing.T) {
	f := newFixture()
	f.owner(t)
	tokens := f.login(t)
	stolen, err := f.Refresh(t.Context(), tokens.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Authenticate(t.Context(), stolen.AccessToken); err != nil {
		t.Fatal(err)
	}
	_, err = f.Refresh(t.Context(), tokens.RefreshToken)
	wantCode(t, err, problem.Unauthenticated, "refresh_token_reused")
	_, err = f.Refresh(t.Context(), stolen.RefreshToken)
	wantCode(t, err, problem.Unauthenticated, "invalid_refresh_token")
	_, err = f.Authenticate(t.Context(), stolen.AccessToken)
	wantCode(t, err, problem.Unauthenticated, "invalid_token")
	if _, err := f.Authenticate(t.Context(), f.login(t).AccessToken); err != nil {
		t.Errorf("another login of the user ended too: %v", err)
	}
}

// All clients are past the check of the token before the first one rotates it.
func TestConcurrentRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		f.owner(t)
		tokens := f.login(t)
		f.store.slow = time.Second
		const clients = 20
		results := make([]error, clients)
		var group sync.WaitGroup
		for i := range clients {
			group.Go(func() { _, results[i] = f.Refresh(t.Context(), tokens.RefreshToken) })
		}
		group.Wait()
		won := 0
		for _, err := range results {
			if err == nil {
				won++
				continue
			}
			wantCode(t, err, problem.Unauthenticated, "refresh_token_reused")
		}
		if won != 1 {
			t.Errorf("%d of %d refreshes won", won, clients)
		}
	})
}

func TestRefreshRefused(t *testing.T) {
	f := newFixture()
	f.owner(t)
	for name, token := range map[string]string{
		"empty":         "",
		"an access one": f.login(t).AccessToken,
		"unknown login": refreshPrefix + strings.Repeat("0", idDigits) + "_" + strings.Repeat("A", secretDigits),
		"no secret":     f.login(t).RefreshToken[:len(refreshPrefix)+idDigits+1],
		"an API key's":  strings.Replace(f.login(t).RefreshToken, refreshPrefix, keyPrefix, 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.Refresh(t.Context(), token)
			wantCode(t, err, problem.Unauthenticated, "invalid_refresh_token")
			if err := f.Logout(t.Context(), token); err != nil {
				t.Errorf("log out: %v", err)
			}
		})
	}
}

func TestRefreshOfDeletedUser(t *testing.T) {
	f := newFixture()
	owner := f.owner(t)
	tokens := f.login(t)
	delete(f.store.users, owner.UserID)
	_, err := f.Refresh(t.Context(), tokens.RefreshToken)
	wantCode(t, err, problem.Unauthenticated, "invalid_refresh_token")
	_, err = f.Authenticate(t.Context(), tokens.AccessToken)
	wantCode(t, err, problem.Unauthenticated, "invalid_token")
}

func TestTokensExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		f.owner(t)
		tokens := f.login(t)
		time.Sleep(AccessTokenTTL)
		_, err := f.Authenticate(t.Context(), tokens.AccessToken)
		wantCode(t, err, problem.Unauthenticated, "token_expired")
		time.Sleep(RefreshTokenTTL - AccessTokenTTL - time.Second)
		if tokens, err = f.Refresh(t.Context(), tokens.RefreshToken); err != nil {
			t.Fatal(err)
		}
		time.Sleep(RefreshTokenTTL)
		_, err = f.Refresh(t.Context(), tokens.RefreshToken)
		wantCode(t, err, problem.Unauthenticated, "invalid_refresh_token")
	})
}

func TestLogout(t *testing.T) {
	f := newFixture()
	f.owner(t)
	tokens := f.login(t)
	if _, err := f.Authenticate(t.Context(), tokens.AccessToken); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Logout(t.Context(), tokens.RefreshToken); err != nil {
			t.Fatal(err)
		}
	}
	_, err := f.Authenticate(t.Context(), tokens.AccessToken)
	wantCode(t, err, problem.Unauthenticated, "invalid_token")
	_, err = f.Refresh(t.Context(), tokens.RefreshToken)
	wantCode(t, err, problem.Unauthenticated, "invalid_refresh_token")
}

func TestRefreshFailsWithoutUsingUpTheToken(t *testing.T) {
	f := newFixture()
	f.owner(t)
	tokens := f.login(t)
	f.store.setAway(true)
	_, err := f.Refresh(t.Context(), tokens.RefreshToken)
	wantCode(t, err, problem.Unavailable, "storage_unavailable")
	f.store.setAway(false)
	if _, err := f.Refresh(t.Context(), tokens.RefreshToken); err != nil {
		t.Error(err)
	}
}
