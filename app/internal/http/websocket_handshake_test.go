package http

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func TestSocketHandshake(t *testing.T) {
	r := startResources(t, nil)
	key := "dGhlIHNhbXBsZSBub25jZQ=="
	upgrade := []string{
		"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", key,
	}
	tests := []struct {
		name, code string
		status     int
		header     []string
	}{
		{"no upgrade", "upgrade_required", 426, []string{"Upgrade", "", "Connection", ""}},
		{"other protocol", "upgrade_required", 426, []string{"Upgrade", "h2c"}},
		{"old version", "invalid_handshake", 400, []string{"Sec-WebSocket-Version", "8"}},
		{"no key", "invalid_handshake", 400, []string{"Sec-WebSocket-Key", ""}},
		{"other origin", "origin_not_allowed", 403, []string{"Origin", "https://evil.example"}},
		{"no origin at all", "origin_not_allowed", 403, []string{"Origin", "null"}},
		{"bad credential", "invalid_api_key", 401, []string{"Authorization", "Bearer ask_x"}},
		{"bad credential of a browser", "invalid_api_key", 401,
			[]string{"Authorization", "", "Sec-WebSocket-Protocol", "agentstack.v1, bearer.ask_x"}},
		{"empty credential of a browser", "missing_credentials", 401,
			[]string{"Authorization", "", "Sec-WebSocket-Protocol", "agentstack.v1, bearer."}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			header := append(append([]string{"Authorization", "Bearer " + r.key}, upgrade...), test.header...)
			a := r.do(t, http.MethodGet, "/ws", "", header...)
			if a.status != test.status || a.header.Get("Content-Type") != problemMediaType {
				t.Fatalf("%d %s %s", a.status, a.header, a.body)
			}
			wantCode(t, a, test.code)
		})
	}
	if logs := r.logs.String(); strings.Contains(logs, "ask_") {
		t.Errorf("a credential is in the logs: %s", logs)
	}
}

func TestSocketOfABrowser(t *testing.T) {
	r := startResources(t, nil)
	conn, response, err := websocket.Dial(t.Context(), "ws://"+r.addr+"/ws", &websocket.DialOptions{
		Subprotocols: []string{socketProtocol, bearerProtocol + r.key},
		HTTPHeader:   http.Header{"Origin": {"http://" + r.addr}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	if conn.Subprotocol() != socketProtocol || strings.Contains(response.Header.Get("Sec-WebSocket-Protocol"), "ask_") {
		t.Errorf("subprotocol %q", conn.Subprotocol())
	}
	if response.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Error("compression is on")
	}
	c := testSocket{conn}
	c.ask(t, "a", r.newSession(t, ""), "hi")
	if text, _ := c.answer(t, c.next(t).MessageID); text != "Hello world" {
		t.Errorf("got %q", text)
	}
}

func TestSocketDescription(t *testing.T) {
	r := startResources(t, nil)
	operation := r.api.OpenAPI().Paths["/ws"].Get
	if operation == nil || operation.Responses["101"] == nil || operation.Responses["426"] == nil ||
		!strings.Contains(operation.Description, "4401") {
		t.Errorf("/ws is not described: %+v", operation)
	}
}

// FuzzFrame wants a frame that is valid, or one of the two kinds of errors.
func FuzzFrame(f *testing.F) {
	for _, seed := range []string{
		`{"type":"ask","id":"1","session_id":"s","content":"c"}`, `{"type":"resume","message_id":"m","after":3}`,
		`{"type":"cancel","message_id":"m"}`, `{"type":"ask","content":1}`, `[]`, `null`,
		`{"after":1e400}`, "\xff", `{"a":`,
		`{"id":"` + strings.Repeat("i", maxFrameID+1) + `"}`, `{"TYPE":"ask"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, err := parseFrame(data)
		if len(frame.ID) > maxFrameID {
			t.Errorf("id of %d bytes", len(frame.ID))
		}
		if err == nil {
			if err := frame.validate(); err != nil {
				t.Errorf("%q: %v", data, err)
			}
			return
		}
		if status := problemOf(err).Status; !errors.Is(err, errNotJSON) && status != http.StatusBadRequest {
			t.Errorf("%q: %v is %d", data, err, status)
		}
	})
}
