package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"agentstack/app/account"
	"agentstack/app/internal/token"
)

// TestHostile shares one environment among what clients do wrong, by mistake or on purpose.
func TestHostile(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	s := e.start(t, nil)
	owner, stranger := s.signUp(t, "owner@example.com"), s.signUp(t, "stranger@example.com")
	lateBody := s.sendLate(t, owner)
	t.Run("access tokens", func(t *testing.T) { testAccessTokens(t, owner, stranger) })
	t.Run("ids of another tenant", func(t *testing.T) { testForeignIDs(t, owner, stranger) })
	t.Run("ids of another tenant over WebSocket", func(t *testing.T) { testForeignSocket(t, owner, stranger) })
	t.Run("cache of another tenant", func(t *testing.T) { testForeignCache(t, owner, stranger) })
	t.Run("SQL", func(t *testing.T) { testSQLInjection(t, owner) })
	t.Run("headers", func(t *testing.T) { testHeaderInjection(t, owner) })
	t.Run("bodies", func(t *testing.T) { testHostileBodies(t, e, owner) })
	t.Run("client leaves while a body is sent", func(t *testing.T) { testHalfBodies(t, e, owner) })
	t.Run("client leaves while a question is answered", func(t *testing.T) { testLeavesQuestion(t, e, owner) })
	t.Run("body that never ends", func(t *testing.T) { lateBody(t) })
}

// refused reports answers that are not a problem of a status and code; no code is any code.
func refused(t *testing.T, what string, got answer, status int, code string) {
	t.Helper()
	var problem struct {
		Type, Title, Detail, Instance string
		Status                        int
		Error                         struct{ Message, Type string }
	}
	if err := json.Unmarshal([]byte(got.body), &problem); err != nil {
		t.Errorf("%s: %d %q is no problem: %v", what, got.status, got.body, err)
		return
	}
	if got.status != status || problem.Status != status || problem.Title != http.StatusText(status) ||
		got.header.Get("Content-Type") != "application/problem+json" || problem.Error.Message != problem.Detail ||
		problem.Error.Type == "" || problem.Instance == "" || problem.Instance != got.header.Get("X-Request-Id") {
		t.Errorf("%s: %d %s %s, want %d", what, got.status, got.header.Get("Content-Type"), got.body, status)
	}
	if code != "" && problem.Type != "urn:agentstack:problem:"+code {
		t.Errorf("%s: %s, want %s", what, problem.Type, code)
	}
}

// claims are those of an access token that the server made.
func (a signedUp) claims(t *testing.T) account.Claims {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(a.token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Subject  string       `json:"sub"`
		TenantID string       `json:"tenant_id"`
		LoginID  string       `json:"login_id"`
		Role     account.Role `json:"role"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	return account.Claims{TenantID: c.TenantID, UserID: c.Subject, LoginID: c.LoginID, Role: c.Role}
}

func testAccessTokens(t *testing.T, owner, stranger signedUp) {
	sign := func(key string, claims account.Claims, expires time.Duration) string {
		signer, err := token.NewSigner([][]byte{[]byte(key)})
		if err != nil {
			t.Fatal(err)
		}
		claims.ExpiresAt = time.Now().Add(expires)
		text, err := signer.Sign(claims)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	claims := owner.claims(t)
	parts, foreign := strings.Split(owner.token, "."), strings.Split(stranger.token, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	bearer := func(credential string) answer {
		return owner.server.do(t, http.MethodGet, "/v1/me", "", "Authorization", credential)
	}
	if got := bearer("Bearer " + sign(jwtKey, claims, time.Minute)); got.status != http.StatusOK {
		t.Fatalf("a token made in the test: %d %s", got.status, got.body)
	}
	for name, test := range map[string]struct{ credential, code string }{
		"expired":          {"Bearer " + sign(jwtKey, claims, -time.Minute), "token_expired"},
		"another key":      {"Bearer " + sign(strings.Repeat("k", 32), claims, time.Minute), "invalid_token"},
		"another's claims": {"Bearer " + parts[0] + "." + foreign[1] + "." + parts[2], "invalid_token"},
		"no signature":     {"Bearer " + parts[0] + "." + parts[1] + ".", "invalid_token"},
		"algorithm none":   {"Bearer " + none + "." + parts[1] + ".", "invalid_token"},
		"refresh token":    {"Bearer " + owner.refresh, "invalid_token"},
		"sign-up token":    {"Bearer " + signUpToken, "invalid_token"},
		"basic":            {"Basic " + owner.token, "invalid_credentials"},
		"two words":        {"Bearer a b", "invalid_credentials"},
		"too long":         {"Bearer " + strings.Repeat("a", 5000), "invalid_credentials"},
	} {
		got := bearer(test.credential)
		refused(t, name, got, http.StatusUnauthorized, test.code)
		if !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s: WWW-Authenticate %q", name, got.header.Get("WWW-Authenticate"))
		}
	}
	refused(t, "none", owner.server.get(t, "/v1/me"), http.StatusUnauthorized, "missing_credentials")
	chatOnly := owner.newKey(t, `{"name":"chat","scopes":["chat"]}`)
	for _, path := range []string{"/v1/agents", "/v1/documents", "/v1/api-keys", "/ws"} {
		got := owner.server.do(t, http.MethodGet, path, "", "Authorization", "Bearer "+chatOnly)
		refused(t, "a chat key at "+path, got, http.StatusForbidden, "insufficient_scope")
	}
	soon := time.Now().Add(time.Second).Format(time.RFC3339Nano)
	key := owner.newKey(t, fmt.Sprintf(`{"name":"soon","scopes":["chat"],"expires_at":%q}`, soon))
	eventually(t, "the key expires", func() bool { return bearer("Bearer "+key).status == http.StatusUnauthorized })
}
