package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestReplicas runs two servers on one database and one Redis cluster.
func TestReplicas(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	replicas := []*server{e.start(t, nil), e.start(t, nil)}
	owner := replicas[0].signUp(t, "replicas@example.com")
	replicas[1].waitReady(t)
	t.Run("rate limit", func(t *testing.T) { testRateLimit(t, owner, replicas) })
	t.Run("token budget", func(t *testing.T) { testTokenBudget(t, owner, replicas) })
	t.Run("revoked key", func(t *testing.T) { testRevokedKey(t, owner, replicas) })
	t.Run("refresh tokens", func(t *testing.T) { testRefreshTokens(t, owner, replicas) })
	t.Run("idempotency", func(t *testing.T) { testIdempotency(t, e, owner, replicas) })
	t.Run("resume", func(t *testing.T) { testResumeElsewhere(t, owner, replicas) })
}

func testRateLimit(t *testing.T, owner signedUp, replicas []*server) {
	const limit = 10
	key := owner.newKey(t, fmt.Sprintf(`{"name":"limited","scopes":["chat"],"requests_per_minute":%d}`, limit))
	counts := map[int]int{}
	started := time.Now()
	for i := range 3 * limit {
		got := replicas[i%2].chat(t, prompt("m", "limited", false), "Authorization", "Bearer "+key)
		counts[got.status]++
		if got.status == http.StatusTooManyRequests && got.header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	// The bucket fills again while it is emptied.
	most := limit + int(time.Since(started)/(time.Minute/limit)) + 1
	if ok := counts[http.StatusOK]; ok < limit || ok > most || ok+counts[http.StatusTooManyRequests] != 3*limit {
		t.Errorf("answers by status: %v, want %d to %d with 200 and the others with 429", counts, limit, most)
	}
}

func testTokenBudget(t *testing.T, owner signedUp, replicas []*server) {
	key := owner.newKey(t, `{"name":"budget","scopes":["chat"],"tokens_per_day":400}`)
	body := `{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"` + strings.Repeat("word ", 46) + `"}]}`
	statuses := ""
	for i := range 6 { // each uses 46 + 48 tokens
		got := replicas[i%2].chat(t, body, "Authorization", "Bearer "+key, "Cache-Control", "no-store")
		statuses += fmt.Sprint(got.status, " ")
		if got.status == http.StatusTooManyRequests {
			_, code, _ := apiErrorOf(t, got.body)
			if retry := got.header.Get("Retry-After"); code != "token_budget_exceeded" || retry == "" {
				t.Errorf("code %s, Retry-After %q", code, retry)
			}
		}
	}
	if !strings.HasPrefix(statuses, "200 200 200 ") || !strings.HasSuffix(statuses, "429 429 ") {
		t.Errorf("statuses %s, want three or four answers, then 429", statuses)
	}
}

func testRevokedKey(t *testing.T, owner signedUp, replicas []*server) {
	made := owner.server.do(t, http.MethodPost, "/v1/api-keys", `{"name":"short-lived","scopes":["chat"]}`,
		"Authorization", "Bearer "+owner.token)
	key := decode[struct{ ID, Key string }](t, made, http.StatusCreated)
	bearer := []string{"Authorization", "Bearer " + key.Key}
	for _, replica := range replicas {
		if got := replica.do(t, http.MethodGet, "/v1/models", "", bearer...); got.status != http.StatusOK {
			t.Fatalf("a new key: %d %s", got.status, got.body)
		}
	}
	gone := owner.server.do(t, http.MethodDelete, "/v1/api-keys/"+key.ID, "", "Authorization", "Bearer "+owner.token)
	if gone.status != http.StatusNoContent {
		t.Fatalf("delete: %d %s", gone.status, gone.body)
	}
	for i, replica := range replicas {
		eventually(t, fmt.Sprintf("replica %d refuses the key", i), func() bool {
			return replica.do(t, http.MethodGet, "/v1/models", "", bearer...).status == http.StatusUnauthorized
		})
	}
}

func testRefreshTokens(t *testing.T, owner signedUp, replicas []*server) {
	refresh := func(replica *server, token string) answer {
		return replica.do(t, http.MethodPost, "/v1/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, token))
	}
	type tokens struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	login := replicas[0].do(t, http.MethodPost, "/v1/auth/login",
		fmt.Sprintf(`{"email":"replicas@example.com","password":%q}`, userPassword))
	first := decode[tokens](t, login, http.StatusOK)
	second := decode[tokens](t, refresh(replicas[1], first.RefreshToken), http.StatusOK)
	if got := refresh(replicas[0], first.RefreshToken); got.status != http.StatusUnauthorized ||
		!strings.Contains(got.body, "refresh_token_reused") {
		t.Errorf("an old refresh token: %d %s", got.status, got.body)
	}
	if got := refresh(replicas[1], second.RefreshToken); got.status != http.StatusUnauthorized {
		t.Errorf("the newest refresh token of a login with a reused one: %d %s", got.status, got.body)
	}
	eventually(t, "the login's access token is refused", func() bool {
		got := replicas[1].do(t, http.MethodGet, "/v1/me", "", "Authorization", "Bearer "+second.AccessToken)
		return got.status == http.StatusUnauthorized
	})
	got := owner.server.do(t, http.MethodGet, "/v1/me", "", "Authorization", "Bearer "+owner.token)
	if got.status != http.StatusOK {
		t.Errorf("another login of the same user: %d %s", got.status, got.body)
	}
}

func testIdempotency(t *testing.T, e *environment, owner signedUp, replicas []*server) {
	bearer := "Bearer " + owner.token
	body := `{"name":"once","model":"mock"}`
	first := replicas[0].do(t, http.MethodPost, "/v1/agents", body, "Authorization", bearer, "Idempotency-Key", "once")
	again := replicas[1].do(t, http.MethodPost, "/v1/agents", body, "Authorization", bearer, "Idempotency-Key", "once")
	if first.status != http.StatusCreated || again.status != http.StatusCreated || first.body != again.body ||
		again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%d %s, then %d %s", first.status, first.body, again.status, again.body)
	}
	other := replicas[1].do(t, http.MethodPost, "/v1/agents", `{"name":"twice","model":"mock"}`,
		"Authorization", bearer, "Idempotency-Key", "once")
	if other.status != http.StatusUnprocessableEntity || !strings.Contains(other.body, "idempotency_key_reused") {
		t.Errorf("another body: %d %s", other.status, other.body)
	}
	key := replicas[0].do(t, http.MethodPost, "/v1/api-keys", `{"name":"once","scopes":["chat"]}`,
		"Authorization", bearer, "Idempotency-Key", "key")
	secret := decode[struct{ Key string }](t, key, http.StatusCreated).Key
	replay := replicas[1].do(t, http.MethodPost, "/v1/api-keys", `{"name":"once","scopes":["chat"]}`,
		"Authorization", bearer, "Idempotency-Key", "key")
	if secret == "" || replay.status != http.StatusCreated || strings.Contains(replay.body, secret) {
		t.Errorf("the replay of a new key: %d %s", replay.status, replay.body)
	}
	if found := e.rowsWith(t, secret); len(found) != 0 {
		t.Errorf("the API key is stored in %v", found)
	}
}
