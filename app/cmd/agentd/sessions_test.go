package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// sessionOf makes an agent and a session with it.
func (a signedUp) sessionOf(t *testing.T, agent string) (session string) {
	t.Helper()
	made := a.do(t, http.MethodPost, "/v1/agents", agent)
	id := decode[struct{ ID string }](t, made, http.StatusCreated).ID
	made = a.do(t, http.MethodPost, "/v1/sessions", fmt.Sprintf(`{"agent_id":%q,"title":"a talk"}`, id))
	return decode[struct{ ID string }](t, made, http.StatusCreated).ID
}

func (a signedUp) do(t *testing.T, method, path, body string) answer {
	t.Helper()
	return a.server.do(t, method, path, body, "Authorization", "Bearer "+a.token)
}

// message is a message of a session, as the API shows it.
type message struct {
	ID, Role, Status, Content string
	Citations                 []struct {
		Number     int
		Title      string
		Excerpt    string
		DocumentID string `json:"document_id"`
	}
}

// event is a step of an answer.
type event struct {
	Seq        int
	Type, Text string
	Status     string
	MessageID  string `json:"message_id"`
	eventName  string
}

// sse reads server-sent events; each is decoded from its data.
func (a signedUp) sse(t *testing.T, method, path, body, lastEventID string) func() (event, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, method, a.server.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	request.Header.Set("Content-Type", "application/json")
	if lastEventID != "" {
		request.Header.Set("Last-Event-ID", lastEventID)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if kind := response.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		t.Fatalf("%s %s: %d %s", method, path, response.StatusCode, kind)
	}
	lines := bufio.NewScanner(response.Body)
	return func() (next event, more bool) {
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				next.eventName = value
			case "data":
				if err := json.Unmarshal([]byte(value), &next); err != nil {
					t.Fatalf("event %s: %v", value, err)
				}
				return next, true
			}
		}
		return next, false
	}
}

// testResumeElsewhere reads an answer from the other replica while the first one is still writing it.
func testResumeElsewhere(t *testing.T, owner signedUp, replicas []*server) {
	session := owner.sessionOf(t, `{"name":"slow","model":"mock-slow"}`)
	const words = "one two three four five six seven eight nine ten eleven twelve"
	next := owner.sse(t, http.MethodPost, "/v1/sessions/"+session+"/messages",
		fmt.Sprintf(`{"content":%q,"stream":true}`, words), "")
	begun, _ := next()
	if begun.eventName != "message" || begun.MessageID == "" {
		t.Fatalf("the first event is %+v", begun)
	}
	text, last := "", 0
	for text != "You said: " {
		step, more := next()
		if !more {
			t.Fatalf("the stream ended after %q", text)
		}
		text, last = text+step.Text, step.Seq
	}
	elsewhere := owner
	elsewhere.server = replicas[1]
	resumed := elsewhere.sse(t, http.MethodGet, "/v1/messages/"+begun.MessageID+"/events", "", fmt.Sprint(last))
	status := ""
	for step, more := resumed(); more; step, more = resumed() {
		if step.Seq != last+1 {
			t.Errorf("event %d follows event %d", step.Seq, last)
		}
		text, last, status = text+step.Text, step.Seq, step.Status
	}
	if text != "You said: "+words || status != "completed" {
		t.Errorf("both parts together: %q, status %q", text, status)
	}
	stored := decode[message](t, elsewhere.do(t, http.MethodGet, "/v1/messages/"+begun.MessageID, ""), http.StatusOK)
	if stored.Content != text || stored.Status != "completed" {
		t.Errorf("stored: %+v", stored)
	}
}

func TestRetrieval(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	s := e.start(t, nil)
	owner, stranger := s.signUp(t, "owner@example.com"), s.signUp(t, "stranger@example.com")
	for title, text := range map[string]string{
		"Zebras":   "# Zebras\n\nThe zebra of the savannah has black and white stripes.",
		"Bicycles": "# Bicycles\n\nA bicycle chain needs oil in winter.",
	} {
		body, err := json.Marshal(map[string]string{"title": title, "content": text, "content_type": "text/markdown"})
		if err != nil {
			t.Fatal(err)
		}
		decode[struct{ ID string }](t, owner.do(t, http.MethodPost, "/v1/documents", string(body)), http.StatusCreated)
	}
	type hits struct {
		Data []struct{ Title, Text string }
	}
	for _, mode := range []string{"vector", "text", "hybrid"} {
		query := fmt.Sprintf(`{"query":"zebra stripes","mode":%q,"limit":1}`, mode)
		found := decode[hits](t, owner.do(t, http.MethodPost, "/v1/search", query), http.StatusOK)
		if len(found.Data) != 1 || found.Data[0].Title != "Zebras" {
			t.Errorf("%s: %+v", mode, found)
		}
		foreign := decode[hits](t, stranger.do(t, http.MethodPost, "/v1/search", query), http.StatusOK)
		if len(foreign.Data) != 0 {
			t.Errorf("%s: another tenant finds %+v", mode, foreign)
		}
	}
	session := owner.sessionOf(t, `{"name":"reader","model":"mock","retrieval":true,"system_prompt":"Be brief."}`)
	// mockllm repeats the question, and with it the citation.
	asked := owner.do(t, http.MethodPost, "/v1/sessions/"+session+"/messages",
		`{"content":"zebra stripes are as in [1]?"}`)
	answered := decode[message](t, asked, http.StatusCreated)
	if answered.Status != "completed" || len(answered.Citations) != 1 || answered.Citations[0].Title != "Zebras" {
		t.Errorf("answer: %+v", answered)
	}
	if sent := e.model.requestsWith("black and white stripes"); len(sent) < 2 { // indexed, and as a passage
		t.Errorf("the passage reached the model server %d times", len(sent))
	}
	for _, path := range []string{
		"/v1/sessions/" + session, "/v1/sessions/" + session + "/messages", "/v1/messages/" + answered.ID,
		"/v1/documents/" + answered.Citations[0].DocumentID, "/v1/agents/not-a-uuid",
	} {
		if got := stranger.do(t, http.MethodGet, path, ""); got.status != http.StatusNotFound {
			t.Errorf("another tenant gets %d for %s: %s", got.status, path, got.body)
		}
	}
}

// TestWebSocketAtShutdown ends an idle and a busy socket as a rolling update does.
func TestWebSocketAtShutdown(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	s := e.start(t, map[string]string{"SHUTDOWN_DELAY": "500ms"})
	owner := s.signUp(t, "socket@example.com")
	session := owner.sessionOf(t, `{"name":"slow","model":"mock-slow"}`)
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	dial := func() *websocket.Conn {
		connection, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.url, "http")+"/ws",
			&websocket.DialOptions{Subprotocols: []string{"agentstack.v1", "bearer." + owner.token}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = connection.CloseNow() })
		if connection.Subprotocol() != "agentstack.v1" {
			t.Errorf("subprotocol %q", connection.Subprotocol())
		}
		return connection
	}
	type frame struct {
		Type, ID string
		Event    event
	}
	idle, busy := dial(), dial()
	ask := map[string]string{"type": "ask", "id": "q", "session_id": session, "content": strings.Repeat("word ", 10)}
	if err := wsjson.Write(ctx, busy, ask); err != nil {
		t.Fatal(err)
	}
	var first frame
	if err := wsjson.Read(ctx, busy, &first); err != nil || first.Type != "message" || first.ID != "q" {
		t.Fatalf("first frame %+v, error %v", first, err)
	}
	began := time.Now()
	s.terminate()
	var none frame
	if err := wsjson.Read(ctx, idle, &none); websocket.CloseStatus(err) != websocket.StatusServiceRestart {
		t.Errorf("the idle socket: %+v, error %v", none, err)
	}
	text, status := "", ""
	var err error
	for err == nil {
		var next frame
		if err = wsjson.Read(ctx, busy, &next); err == nil {
			text, status = text+next.Event.Text, next.Event.Status
		}
	}
	if websocket.CloseStatus(err) != websocket.StatusServiceRestart || status != "completed" ||
		text != "You said: "+strings.Repeat("word ", 10) {
		t.Errorf("the busy socket: %q, status %q, error %v, after %s", text, status, err, time.Since(began))
	}
	if code := s.wait(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
