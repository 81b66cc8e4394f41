package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// belongings are one of everything that a tenant can have.
type belongings struct{ agent, session, message, document, key string }

func (a signedUp) belongings(t *testing.T) (b belongings) {
	t.Helper()
	id := func(path, body string) string {
		return decode[struct{ ID string }](t, a.do(t, http.MethodPost, path, body), http.StatusCreated).ID
	}
	b.agent = id("/v1/agents", `{"name":"mine","model":"mock"}`)
	b.session = id("/v1/sessions", fmt.Sprintf(`{"agent_id":%q}`, b.agent))
	b.message = id("/v1/sessions/"+b.session+"/messages", `{"content":"mine"}`)
	b.document = id("/v1/documents", `{"title":"mine","content":"The okapi is mine."}`)
	b.key = id("/v1/api-keys", `{"name":"mine","scopes":["chat"]}`)
	return b
}

func testForeignIDs(t *testing.T, owner, stranger signedUp) {
	b := owner.belongings(t)
	for _, test := range []struct{ method, path, body string }{
		{"GET", "/v1/agents/" + b.agent, ""},
		{"PATCH", "/v1/agents/" + b.agent, `{"name":"stolen"}`},
		{"DELETE", "/v1/agents/" + b.agent, ""},
		{"POST", "/v1/sessions", fmt.Sprintf(`{"agent_id":%q}`, b.agent)},
		{"GET", "/v1/sessions/" + b.session, ""},
		{"DELETE", "/v1/sessions/" + b.session, ""},
		{"GET", "/v1/sessions/" + b.session + "/messages", ""},
		{"POST", "/v1/sessions/" + b.session + "/messages", `{"content":"stolen"}`},
		{"POST", "/v1/sessions/" + b.session + "/messages", `{"content":"stolen","stream":true}`},
		{"GET", "/v1/messages/" + b.message, ""},
		{"GET", "/v1/messages/" + b.message + "/events", ""},
		{"GET", "/v1/documents/" + b.document, ""},
		{"DELETE", "/v1/documents/" + b.document, ""},
		{"DELETE", "/v1/api-keys/" + b.key, ""},
	} {
		refused(t, test.method+" "+test.path, stranger.do(t, test.method, test.path, test.body),
			http.StatusNotFound, "not_found")
	}
	for _, path := range []string{"/v1/agents", "/v1/sessions", "/v1/documents", "/v1/api-keys"} {
		if got := stranger.do(t, http.MethodGet, path, ""); !strings.Contains(got.body, `"data":[]`) {
			t.Errorf("the stranger's %s: %s", path, got.body)
		}
	}
	found := stranger.do(t, http.MethodPost, "/v1/search", `{"query":"okapi"}`)
	if found.status != http.StatusOK || strings.Contains(found.body, "okapi") {
		t.Errorf("the stranger's search: %d %s", found.status, found.body)
	}
	for _, path := range []string{"/v1/agents/" + b.agent, "/v1/sessions/" + b.session, "/v1/messages/" + b.message,
		"/v1/documents/" + b.document} {
		got := owner.do(t, http.MethodGet, path, "")
		if got.status != http.StatusOK || strings.Contains(got.body, "stolen") {
			t.Errorf("the owner's %s: %d %s", path, got.status, got.body)
		}
	}
	messages := owner.do(t, http.MethodGet, "/v1/sessions/"+b.session+"/messages", "")
	if strings.Contains(messages.body, "stolen") || strings.Count(messages.body, `"role"`) != 2 {
		t.Errorf("the owner's messages: %s", messages.body)
	}
}

func testForeignSocket(t *testing.T, owner, stranger signedUp) {
	b := owner.belongings(t)
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	connection, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(stranger.server.url, "http")+"/ws",
		&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + stranger.token}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.CloseNow() }()
	for _, frame := range []map[string]string{
		{"type": "ask", "id": "1", "session_id": b.session, "content": "stolen"},
		{"type": "resume", "id": "2", "message_id": b.message},
		{"type": "cancel", "id": "3", "message_id": b.message},
		{"type": "ask", "id": "4", "session_id": "' OR true --", "content": "stolen"},
	} {
		if err := wsjson.Write(ctx, connection, frame); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Type, ID string
			Error    struct {
				Type   string
				Status int
			}
		}
		if err := wsjson.Read(ctx, connection, &got); err != nil {
			t.Fatal(err)
		}
		if got.Type != "error" || got.ID != frame["id"] || got.Error.Status != http.StatusNotFound ||
			got.Error.Type != "urn:agentstack:problem:not_found" {
			t.Errorf("%v: %+v", frame, got)
		}
	}
}

func testForeignCache(t *testing.T, owner, stranger signedUp) {
	for _, want := range []string{"miss", "hit"} {
		for name, tenant := range map[string]signedUp{"owner": owner, "stranger": stranger} {
			got := tenant.do(t, http.MethodPost, "/v1/chat/completions", prompt("m", "the same of both tenants", false))
			if got.status != http.StatusOK || got.header.Get("X-Cache") != want {
				t.Errorf("%s: %d, X-Cache %q, want %q", name, got.status, got.header.Get("X-Cache"), want)
			}
		}
	}
}
