package http

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"agentstack/app/agent"
)

// testSocket is a client's end of a WebSocket.
type testSocket struct{ *websocket.Conn }

// gotFrame is a frame of the server.
type gotFrame struct {
	Type       string      `json:"type"`
	ID         string      `json:"id"`
	QuestionID string      `json:"question_id"`
	MessageID  string      `json:"message_id"`
	Event      agent.Event `json:"event"`
	Error      Problem     `json:"error"`
}

func (r *resources) dial(t *testing.T, bearer string) testSocket {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "ws://"+r.addr+"/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + bearer}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(-1)
	return testSocket{conn}
}

func (c testSocket) send(t *testing.T, frame string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(frame)); err != nil {
		t.Fatal(err)
	}
}

func (c testSocket) ask(t *testing.T, id, session, content string) {
	t.Helper()
	c.send(t, `{"type":"ask","id":"`+id+`","session_id":"`+session+`","content":"`+content+`"}`)
}

func (c testSocket) next(t *testing.T) gotFrame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	kind, data, err := c.Read(ctx)
	if err != nil || kind != websocket.MessageText {
		t.Fatalf("read: %v %v", kind, err)
	}
	var frame gotFrame
	if err := json.Unmarshal(data, &frame); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return frame
}

// answer reads the text of an answer up to its end.
func (c testSocket) answer(t *testing.T, messageID string) (string, agent.Event) {
	t.Helper()
	var text strings.Builder
	for {
		frame := c.next(t)
		if frame.Type != "event" || frame.MessageID != messageID {
			t.Fatalf("got %+v", frame)
		}
		if frame.Event.Type == agent.EventEnd {
			return text.String(), frame.Event
		}
		text.WriteString(frame.Event.Text)
	}
}

func (c testSocket) wantError(t *testing.T, id, code string) {
	t.Helper()
	frame := c.next(t)
	if frame.Type != "error" || frame.ID != id || frame.Error.Type != "urn:agentstack:problem:"+code ||
		frame.Error.Instance == "" {
		t.Errorf("got %+v, want the error %s", frame, code)
	}
}

// wantClose reads to the end of the socket.
func (c testSocket) wantClose(t *testing.T, code websocket.StatusCode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for {
		if _, _, err := c.Read(ctx); err != nil {
			if got := websocket.CloseStatus(err); got != code {
				t.Errorf("closed with %d (%v), want %d", got, err, code)
			}
			return
		}
	}
}

func TestSocketAsk(t *testing.T) {
	r := startResources(t, nil)
	c := r.dial(t, r.key)
	session := r.newSession(t, "")
	c.ask(t, "a", session, "hi")
	asked := c.next(t)
	if asked.Type != "message" || asked.ID != "a" || !isID(asked.QuestionID) || !isID(asked.MessageID) {
		t.Fatalf("got %+v", asked)
	}
	text, end := c.answer(t, asked.MessageID)
	if text != "Hello world" || end.Seq != 3 || end.Status != agent.MessageCompleted || end.Usage.PromptTokens != 3 {
		t.Errorf("got %q, %+v", text, end)
	}
	poll(t, "the usage settles the budget", func() bool { return r.limiter.total() == 5 })
	poll(t, "the stream ends", func() bool { return r.streams.Load() == 0 })
	c.ask(t, "b", session, "fail")
	failed := c.next(t)
	if _, end := c.answer(t, failed.MessageID); end.Status != agent.MessageFailed || end.Error == "" {
		t.Errorf("got %+v", end)
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	poll(t, "the socket is gone", func() bool { return r.sockets.count() == 0 })
}

// count is the number of open sockets.
func (s *sockets) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

func TestSocketErrors(t *testing.T) {
	r := startResources(t, nil)
	c := r.dial(t, r.key)
	session := r.newSession(t, "")
	other := r.newSession(t, "")
	answered := r.create(t, "/v1/sessions/"+session+"/messages", `{"content":"hi"}`)
	tests := []struct{ name, frame, code string }{
		{"unknown type", `{"id":"i","type":"shout"}`, "invalid_value"},
		{"no type", `{"id":"i"}`, "invalid_value"},
		{"wrong type of a field", `{"id":"i","type":"ask","content":1}`, "invalid_value"},
		{"no content", `{"id":"i","type":"ask","session_id":"` + session + `"}`, "invalid_value"},
		{"no session", `{"id":"i","type":"ask","content":"hi"}`, "invalid_value"},
		{"session that cannot be", `{"id":"i","type":"ask","session_id":"x","content":"hi"}`, "not_found"},
		{"other session", `{"id":"i","type":"ask","session_id":"` + newTestID() + `","content":"i"}`, "not_found"},
		{"NUL", `{"id":"i","type":"ask","session_id":"` + session + `","content":"\u0000"}`, "invalid_value"},
		{"message that is not there", `{"id":"i","type":"resume","message_id":"` + newTestID() + `"}`, "not_found"},
		{"message that cannot be", `{"id":"i","type":"cancel","message_id":"x"}`, "not_found"},
		{"negative seq", `{"id":"i","type":"resume","message_id":"` + answered + `","after":-1}`, "invalid_value"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c.send(t, test.frame)
			c.wantError(t, "i", test.code)
		})
	}
	c.send(t, `[]`)
	c.wantError(t, "", "invalid_value")

	stranger := r.dial(t, r.other)
	stranger.ask(t, "i", session, "hi")
	stranger.wantError(t, "i", "not_found")
	stranger.send(t, `{"type":"resume","id":"i","message_id":"`+answered+`"}`)
	stranger.wantError(t, "i", "not_found")
	stranger.send(t, `{"type":"cancel","id":"i","message_id":"`+answered+`"}`)
	stranger.wantError(t, "i", "not_found")
	r.limiter.exhaust()
	c.ask(t, "i", other, "hi")
	c.wantError(t, "i", "token_budget_exceeded")
}

func TestSocketResumeAfterACut(t *testing.T) {
	r := startResources(t, nil)
	c := r.dial(t, r.key)
	c.ask(t, "a", r.newSession(t, ""), "wait")
	message := c.next(t).MessageID
	if first := c.next(t); first.Event.Seq != 1 || first.Event.Text != "Hello" {
		t.Fatalf("got %+v", first)
	}
	_ = c.CloseNow()
	r.model.gate <- struct{}{}
	again := r.dial(t, r.key)
	again.send(t, `{"type":"resume","id":"b","message_id":"`+message+`","after":1}`)
	second := again.next(t)
	if second.Event.Seq != 2 || second.Event.Text != " world" {
		t.Errorf("got %+v", second)
	}
	r.model.release()
	if _, end := again.answer(t, message); end.Seq != 3 || end.Status != agent.MessageCompleted {
		t.Errorf("got %+v", end)
	}
	again.send(t, `{"type":"resume","message_id":"`+message+`"}`)
	if text, _ := again.answer(t, message); text != "Hello world" {
		t.Errorf("from the beginning: %q", text)
	}
}

func TestSocketCancel(t *testing.T) {
	r := startResources(t, nil)
	c := r.dial(t, r.key)
	c.ask(t, "a", r.newSession(t, ""), "wait")
	message := c.next(t).MessageID
	c.next(t)
	c.send(t, `{"type":"cancel","message_id":"`+message+`"}`)
	if _, end := c.answer(t, message); end.Status != agent.MessageInterrupted {
		t.Errorf("got %+v", end)
	}
}

func TestSocketAnswersAtOnce(t *testing.T) {
	r := startResources(t, nil)
	c := r.dial(t, r.key)
	left := map[string]bool{}
	for range maxSocketAnswers {
		c.ask(t, "a", r.newSession(t, ""), "wait")
		for range 2 {
			frame := c.next(t)
			left[frame.MessageID] = true
		}
	}
	if len(left) != maxSocketAnswers {
		t.Fatalf("answers %v", left)
	}
	last := r.newSession(t, "")
	c.ask(t, "late", last, "hi")
	c.wantError(t, "late", "too_many_answers")
	r.model.release()
	for len(left) > 0 {
		if frame := c.next(t); frame.Event.Type == agent.EventEnd {
			delete(left, frame.MessageID)
		}
	}
	poll(t, "the streams end", func() bool { return r.streams.Load() == 0 })
	c.ask(t, "b", last, "hi")
	if frame := c.next(t); frame.ID != "b" || frame.Type != "message" {
		t.Errorf("got %+v", frame)
	}
}

func TestSocketBadFrames(t *testing.T) {
	tests := []struct {
		name string
		kind websocket.MessageType
		data string
		code websocket.StatusCode
	}{
		{"binary", websocket.MessageBinary, `{"type":"ask"}`, websocket.StatusUnsupportedData},
		{"no JSON", websocket.MessageText, `{"type"`, websocket.StatusInvalidFramePayloadData},
		{"empty", websocket.MessageText, ``, websocket.StatusInvalidFramePayloadData},
		{"invalid UTF-8", websocket.MessageText, "{\"type\":\"\xff\"}", websocket.StatusInvalidFramePayloadData},
		{"too large", websocket.MessageText, strings.Repeat(" ", maxFrame+1), websocket.StatusMessageTooBig},
	}
	r := startResources(t, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := r.dial(t, r.key)
			if err := c.Write(t.Context(), test.kind, []byte(test.data)); err != nil {
				t.Fatal(err)
			}
			c.wantClose(t, test.code)
		})
	}
	largest := r.dial(t, r.key)
	largest.send(t, strings.Repeat(" ", maxFrame-2)+"{}")
	largest.wantError(t, "", "invalid_value")
}
