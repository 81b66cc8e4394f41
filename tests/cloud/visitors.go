//go:build e2e

package cloud

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"agentstack/tests/visitors"
)

// Visit sends visitors to the API through the edge: half of them with the test's key, half with the access token of
// somebody who logs in now, which holds for 15 minutes.
func Visit(t *testing.T, api *API) *visitors.Visitors {
	t.Helper()
	edge := visitors.Edge{Address: net.JoinHostPort(api.Edge.Address, "443"), Host: Host, CA: api.Edge.Authority}
	sent, err := visitors.Start(edge, []string{api.Key, logIn(t, api)}, visitors.Load{})
	if err != nil {
		t.Fatalf("send visitors: %v", err)
	}
	return sent
}

// logIn makes a tenant and returns an access token of its owner.
func logIn(t *testing.T, api *API) string {
	t.Helper()
	signupToken := strings.TrimSpace(Command(t, "pulumi", "stack", "output", "signupToken", "--show-secrets",
		"--stack", "local"))
	user := map[string]string{
		"email":    fmt.Sprintf("visitor-%d@example.com", time.Now().UnixNano()),
		"password": "not a secret of anybody",
	}
	tenant := map[string]string{"tenant": "visitors", "email": user["email"], "password": user["password"]}
	if _, _, err := api.Call(http.MethodPost, "/v1/signup", signupToken, tenant); err != nil {
		t.Fatal(err)
	}
	var login struct {
		AccessToken string `json:"access_token"`
	}
	if err := api.CallInto(http.MethodPost, "/v1/auth/login", "", user, &login); err != nil {
		t.Fatal(err)
	}
	return login.AccessToken
}
