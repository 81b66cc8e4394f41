package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

// key returns the environment's API key, which has every scope and no limits.
func (s *server) key(t *testing.T) string {
	t.Helper()
	if s.env.key == "" {
		s.env.key = s.signUp(t, "someone@example.com").newKey(t,
			`{"name":"test","scopes":["chat","agents","knowledge","admin"]}`)
	}
	return s.env.key
}

// signedUp is an owner of a tenant.
type signedUp struct {
	server         *server
	token, refresh string
}

// signUp makes a tenant and logs its owner in.
func (s *server) signUp(t *testing.T, email string) signedUp {
	t.Helper()
	s.waitReady(t)
	body := fmt.Sprintf(`{"email":%q,"password":%q,"tenant":"test"}`, email, userPassword)
	made := s.do(t, http.MethodPost, "/v1/signup", body, "Authorization", "Bearer "+signUpToken)
	if made.status != http.StatusCreated {
		t.Fatalf("sign up: %d %s", made.status, made.body)
	}
	login := s.do(t, http.MethodPost, "/v1/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, email, userPassword))
	tokens := decode[struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}](t, login, http.StatusOK)
	return signedUp{server: s, token: tokens.AccessToken, refresh: tokens.RefreshToken}
}

// newKey makes an API key.
func (a signedUp) newKey(t *testing.T, body string) string {
	t.Helper()
	made := a.server.do(t, http.MethodPost, "/v1/api-keys", body, "Authorization", "Bearer "+a.token)
	return decode[struct{ Key string }](t, made, http.StatusCreated).Key
}

// decode reads an answer that must have a status.
func decode[T any](t *testing.T, a answer, status int) T {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	var value T
	if err := json.Unmarshal([]byte(a.body), &value); err != nil {
		t.Fatalf("answer %s: %v", a.body, err)
	}
	return value
}
