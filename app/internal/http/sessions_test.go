package http

import (
	"strings"
	"testing"

	"agentstack/app/account"
)

func TestSessions(t *testing.T) {
	r := startResources(t, nil)
	agentID := r.create(t, "/v1/agents", `{"name":"A","model":"org/m"}`)
	a := r.call(t, 201, "POST", "/v1/sessions", `{"agent_id":"`+agentID+`","title":"T"}`)
	made := decode[sessionBody](t, a.body)
	if made.AgentID != agentID || made.Title != "T" {
		t.Errorf("got %+v", made)
	}
	path := "/v1/sessions/" + made.ID
	if got := decode[sessionBody](t, r.call(t, 200, "GET", path, "").body); got != made {
		t.Errorf("got %+v, want %+v", got, made)
	}
	r.call(t, 204, "DELETE", path, "")
	wantCode(t, r.call(t, 404, "DELETE", path, ""), "not_found")
	wantCode(t, r.call(t, 404, "POST", "/v1/sessions", `{"agent_id":"`+newTestID()+`"}`), "not_found")
	wantCode(t, r.call(t, 422, "POST", "/v1/sessions", `{}`), "validation_failed")
}

// TestOtherTenants requests everything of a tenant with the key of another one.
func TestOtherTenants(t *testing.T) {
	r := startResources(t, nil)
	agentID := r.create(t, "/v1/agents", `{"name":"A","model":"org/m"}`)
	session := r.create(t, "/v1/sessions", `{"agent_id":"`+agentID+`"}`)
	document := r.create(t, "/v1/documents", `{"title":"T","content":"secret"}`)
	message := r.create(t, "/v1/sessions/"+session+"/messages", `{"content":"hi"}`)
	for _, id := range []string{"the same", newTestID(), "x", "%27%20OR%201=1--", "..%2f..%2fme"} {
		of := func(own string) string {
			if id == "the same" {
				return own
			}
			return id
		}
		tests := []struct{ method, path, body string }{
			{"GET", "/v1/agents/" + of(agentID), ""},
			{"PATCH", "/v1/agents/" + of(agentID), `{"name":"B"}`},
			{"DELETE", "/v1/agents/" + of(agentID), ""},
			{"POST", "/v1/sessions", `{"agent_id":"` + of(agentID) + `"}`},
			{"GET", "/v1/sessions/" + of(session), ""},
			{"DELETE", "/v1/sessions/" + of(session), ""},
			{"GET", "/v1/sessions/" + of(session) + "/messages", ""},
			{"POST", "/v1/sessions/" + of(session) + "/messages", `{"content":"hi"}`},
			{"POST", "/v1/sessions/" + of(session) + "/messages", `{"content":"hi","stream":true}`},
			{"GET", "/v1/messages/" + of(message), ""},
			{"GET", "/v1/messages/" + of(message) + "/events", ""},
			{"GET", "/v1/documents/" + of(document), ""},
			{"DELETE", "/v1/documents/" + of(document), ""},
			{"DELETE", "/v1/api-keys/" + of(newTestID()), ""},
		}
		for _, test := range tests {
			a := r.do(t, test.method, test.path, test.body, "Authorization", "Bearer "+r.other)
			if a.status != 404 || a.problem.Type != "urn:agentstack:problem:not_found" {
				t.Errorf("%s %s: %d %s", test.method, test.path, a.status, a.body)
			}
		}
	}
	if used := r.streams.Load(); used != 0 {
		t.Errorf("%d streams are still counted", used)
	}
}

func TestScopes(t *testing.T) {
	r := startResources(t, nil)
	id := newTestID()
	needs := map[account.Scope][]string{
		account.ScopeAgents: {
			"POST /v1/agents", "GET /v1/agents", "GET /v1/agents/" + id, "PATCH /v1/agents/" + id,
			"DELETE /v1/agents/" + id,
			"POST /v1/sessions", "GET /v1/sessions", "GET /v1/sessions/" + id, "DELETE /v1/sessions/" + id,
			"GET /v1/sessions/" + id + "/messages", "POST /v1/sessions/" + id + "/messages", "GET /v1/messages/" + id,
			"GET /v1/messages/" + id + "/events", "GET /ws",
		},
		account.ScopeKnowledge: {
			"POST /v1/documents", "GET /v1/documents", "GET /v1/documents/" + id, "DELETE /v1/documents/" + id,
			"POST /v1/search",
		},
		account.ScopeAdmin: {"POST /v1/users", "POST /v1/api-keys", "GET /v1/api-keys", "DELETE /v1/api-keys/" + id},
	}
	for scope, routes := range needs {
		var rest []account.Scope
		for _, other := range account.Scopes() {
			if other != scope {
				rest = append(rest, other)
			}
		}
		key := r.newKey(newTestID(), rest...)
		for _, route := range routes {
			method, path, _ := strings.Cut(route, " ")
			a := r.do(t, method, path, "{}", "Authorization", "Bearer "+key)
			if a.status != 403 || a.problem.Type != "urn:agentstack:problem:insufficient_scope" {
				t.Errorf("%s without %s: %d %s", route, scope, a.status, a.body)
			}
			a = r.do(t, method, path, "{}", "Authorization", "")
			if a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s without a credential: %d %s", route, a.status, a.body)
			}
		}
	}
}
