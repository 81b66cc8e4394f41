package http

import (
	"encoding/json"
	"testing"
	"time"

	"agentstack/app/account"
)

const ada = `{"email":"Ada@example.com","password":"correct horse"`

func (r *resources) signUp(t *testing.T) {
	t.Helper()
	r.call(t, 201, "POST", "/v1/signup", ada+`,"tenant":"Example"}`, "Authorization", "Bearer "+signUpToken)
}

func (r *resources) logIn(t *testing.T) tokensBody {
	t.Helper()
	return decode[tokensBody](t, r.call(t, 200, "POST", "/v1/auth/login", ada+`}`).body)
}

func TestSignUp(t *testing.T) {
	r := startResources(t, nil)
	a := r.call(t, 201, "POST", "/v1/signup", ada+`,"tenant":"Example"}`, "Authorization", "Bearer "+signUpToken)
	made := decode[signUpAnswer](t, a.body)
	if made.User.Email != "ada@example.com" || made.User.Role != "owner" || made.Tenant.Name != "Example" ||
		made.User.TenantID != made.Tenant.ID || made.User.CreatedAt.Location() != time.UTC {
		t.Errorf("got %s", a.body)
	}
	tests := []struct {
		name, token, body, code string
		status                  int
	}{
		{"wrong token", "x", ada + `,"tenant":"E"}`, "invalid_signup_token", 401},
		{"email taken", signUpToken, ada + `,"tenant":"E"}`, "email_taken", 409},
		{"short password", signUpToken, `{"email":"a@b.c","password":"short","tenant":"E"}`, "validation_failed", 422},
		{"no email", signUpToken, `{"password":"correct horse","tenant":"E"}`, "validation_failed", 422},
		{"unknown field", signUpToken, ada + `,"tenant":"E","admin":true}`, "validation_failed", 422},
		{"no JSON", signUpToken, `{"email"`, "invalid_request", 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := r.call(t, test.status, "POST", "/v1/signup", test.body, "Authorization", "Bearer "+test.token)
			wantCode(t, a, test.code)
		})
	}
}

func TestSignUpIsOff(t *testing.T) {
	r := startResources(t, func(o *Options) { o.Accounts.SignUpToken = "" })
	wantCode(t, r.call(t, 403, "POST", "/v1/signup", ada+`,"tenant":"E"}`, "Authorization", ""), "signup_disabled")
}

func TestLoginLifecycle(t *testing.T) {
	r := startResources(t, nil)
	r.signUp(t)
	tokens := r.logIn(t)
	if tokens.TokenType != "Bearer" || tokens.ExpiresIn != int(account.AccessTokenTTL.Seconds()) {
		t.Errorf("got %+v", tokens)
	}
	me := decode[meBody](t, r.call(t, 200, "GET", "/v1/me", "", "Authorization", "Bearer "+tokens.AccessToken).body)
	if me.UserID == "" || me.KeyID != "" || len(me.Scopes) != len(account.Scopes()) {
		t.Errorf("got %+v", me)
	}
	refresh := func(token string) string { return `{"refresh_token":"` + token + `"}` }
	a := r.call(t, 200, "POST", "/v1/auth/refresh", refresh(tokens.RefreshToken), "Authorization", "")
	if a.header.Get("Cache-Control") != "no-store" {
		t.Error("tokens may be cached")
	}
	second := decode[tokensBody](t, a.body)
	wantCode(t, r.call(t, 401, "POST", "/v1/auth/refresh", refresh(tokens.RefreshToken)), "refresh_token_reused")
	wantCode(t, r.call(t, 401, "POST", "/v1/auth/refresh", refresh(second.RefreshToken)), "invalid_refresh_token")

	third := r.logIn(t)
	r.call(t, 204, "POST", "/v1/auth/logout", refresh(third.RefreshToken), "Authorization", "")
	wantCode(t, r.call(t, 401, "GET", "/v1/me", "", "Authorization", "Bearer "+third.AccessToken), "invalid_token")
}

func TestLoginFailures(t *testing.T) {
	r := startResources(t, nil)
	r.signUp(t)
	wrong := `{"email":"ada@example.com","password":"wrong"}`
	wantCode(t, r.call(t, 401, "POST", "/v1/auth/login", wrong), "invalid_credentials")
	for range 9 {
		r.call(t, 401, "POST", "/v1/auth/login", wrong)
	}
	a := r.call(t, 429, "POST", "/v1/auth/login", wrong)
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestUsers(t *testing.T) {
	r := startResources(t, nil)
	user := decode[userBody](t, r.call(t, 201, "POST", "/v1/users", ada+`}`).body)
	if user.Role != "member" {
		t.Errorf("role %q by default", user.Role)
	}
	wantCode(t, r.call(t, 409, "POST", "/v1/users", ada+`}`), "email_taken")
	wantCode(t, r.call(t, 422, "POST", "/v1/users", ada+`,"role":"king"}`), "validation_failed")
	tokens := r.logIn(t)
	a := r.call(t, 403, "POST", "/v1/users", `{"email":"b@example.com","password":"correct horse"}`,
		"Authorization", "Bearer "+tokens.AccessToken)
	wantCode(t, a, "insufficient_scope")
}

func TestAPIKeys(t *testing.T) {
	r := startResources(t, nil)
	body := `{"name":"Backend","scopes":["chat","agents"],"requests_per_minute":60,
		"expires_at":"2100-01-01T01:00:00+01:00"}`
	first := r.call(t, 201, "POST", "/v1/api-keys", body, "Idempotency-Key", "k")
	key := decode[keyBody](t, first.body)
	if key.Key == "" || key.RequestsPerMinute != 60 || key.ExpiresAt.Format(time.RFC3339) != "2100-01-01T00:00:00Z" {
		t.Errorf("got %s", first.body)
	}
	again := r.call(t, 201, "POST", "/v1/api-keys", body, "Idempotency-Key", "k")
	if replay := decode[keyBody](t, again.body); replay.ID != key.ID || replay.Key != "" {
		t.Errorf("replayed %s", again.body)
	}
	me := decode[meBody](t, r.call(t, 200, "GET", "/v1/me", "", "Authorization", "Bearer "+key.Key).body)
	if me.KeyID != key.ID || len(me.Scopes) != 2 {
		t.Errorf("got %+v", me)
	}
	list := decode[listBody[keyBody]](t, r.call(t, 200, "GET", "/v1/api-keys", "").body)
	if len(list.Data) != 2 || list.Data[0].ID != key.ID || list.Data[0].Key != "" {
		t.Errorf("got %+v", list)
	}
	path := "/v1/api-keys/" + key.ID
	wantCode(t, r.call(t, 404, "DELETE", path, "", "Authorization", "Bearer "+r.other), "not_found")
	r.call(t, 204, "DELETE", path, "")
	r.call(t, 404, "DELETE", path, "")
	wantCode(t, r.call(t, 401, "GET", "/v1/me", "", "Authorization", "Bearer "+key.Key), "invalid_api_key")
}

func TestAPIKeyFailures(t *testing.T) {
	r := startResources(t, nil)
	r.key = r.newKey(newTestID(), account.ScopeAdmin)
	tests := []struct {
		name, body, code string
		status           int
	}{
		{"scope that the maker lacks", `{"name":"K","scopes":["chat"]}`, "scope_exceeded", 403},
		{"unknown scope", `{"name":"K","scopes":["root"]}`, "validation_failed", 422},
		{"no scope", `{"name":"K","scopes":[]}`, "validation_failed", 422},
		{"negative limit", `{"name":"K","scopes":["admin"],"tokens_per_day":-1}`, "validation_failed", 422},
		{"limit of other type", `{"name":"K","scopes":["admin"],"requests_per_minute":"1"}`, "validation_failed", 422},
		{"expired", `{"name":"K","scopes":["admin"],"expires_at":"2020-01-01T00:00:00Z"}`, "invalid_value", 400},
		{"no time", `{"name":"K","scopes":["admin"],"expires_at":"tomorrow"}`, "validation_failed", 422},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantCode(t, r.call(t, test.status, "POST", "/v1/api-keys", test.body), test.code)
		})
	}
}

// wantCode also checks that the problem and its copy for OpenAI's clients agree.
func wantCode(t *testing.T, a answer, code string) {
	t.Helper()
	if a.problem.Type != "urn:agentstack:problem:"+code ||
		a.problem.OpenAI.Code == nil || *a.problem.OpenAI.Code != code {
		t.Errorf("problem %s, want %s", a.body, code)
	}
	if !json.Valid(a.body) || a.problem.Instance == "" || a.problem.Status != a.status {
		t.Errorf("problem %s", a.body)
	}
}
