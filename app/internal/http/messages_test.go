package http

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"agentstack/app/agent"
)

func TestMessages(t *testing.T) {
	r := startResources(t, nil)
	session := r.newSession(t, "")
	path := "/v1/sessions/" + session + "/messages"
	a := r.call(t, 201, "POST", path, `{"content":"hi"}`)
	got := decode[messageBody](t, a.body)
	if got.Content != "Hello world" || got.Status != "completed" || got.Role != "assistant" ||
		got.SessionID != session || got.Usage == nil ||
		*got.Usage != (agent.Usage{PromptTokens: 3, CompletionTokens: 2}) {
		t.Errorf("got %s", a.body)
	}
	poll(t, "the usage settles the budget", func() bool { return r.limiter.total() == 5 })
	list := decode[listBody[messageBody]](t, r.call(t, 200, "GET", path, "").body)
	if len(list.Data) != 2 || list.Data[0].ID != got.ID || list.Data[1].Content != "hi" || list.Data[1].Role != "user" {
		t.Errorf("got %+v", list)
	}
	if one := r.call(t, 200, "GET", "/v1/messages/"+got.ID, ""); !strings.Contains(string(one.body), "Hello world") {
		t.Errorf("got %s", one.body)
	}
	// A question has no events.
	wantCode(t, r.call(t, 404, "GET", "/v1/messages/"+list.Data[1].ID+"/events", ""), "not_found")
}

func TestCitations(t *testing.T) {
	r := startResources(t, nil)
	r.create(t, "/v1/documents", `{"title":"Handbook","content":"Thirty days off."}`)
	path := "/v1/sessions/" + r.newSession(t, `,"retrieval":true`) + "/messages"
	events := parseEvents(t, r.call(t, 200, "POST", path, `{"content":"hi","stream":true}`).body)
	if len(events) != 5 || events[1].name != "citations" || events[1].event.Citations[0].Title != "Handbook" {
		t.Errorf("got %+v", events)
	}
}

func TestMessageFailures(t *testing.T) {
	r := startResources(t, nil)
	session := r.newSession(t, "")
	path := "/v1/sessions/" + session + "/messages"
	for _, content := range []string{"fail", "panic"} {
		a := r.call(t, 502, "POST", path, `{"content":"`+content+`"}`)
		wantCode(t, a, "answer_failed")
		list := decode[listBody[messageBody]](t, r.call(t, 200, "GET", path+"?limit=1", "").body)
		if failed := list.Data[0]; failed.Status != "failed" || !strings.Contains(a.problem.Detail, failed.ID) {
			t.Errorf("%s: got %+v, detail %s", content, failed, a.problem.Detail)
		}
	}
	tests := []struct {
		name, body, code string
		status           int
	}{
		{"no content", `{}`, "validation_failed", 422},
		{"empty content", `{"content":""}`, "validation_failed", 422},
		{"NUL", `{"content":"\u0000"}`, "invalid_value", 400},
		{"stream of another type", `{"content":"hi","stream":1}`, "validation_failed", 422},
		{"too long", `{"content":"` + strings.Repeat("x", 1<<20+1) + `"}`, "validation_failed", 422},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantCode(t, r.call(t, test.status, "POST", path, test.body), test.code)
		})
	}
	r.limiter.exhaust()
	wantCode(t, r.call(t, 429, "POST", path, `{"content":"hi"}`), "token_budget_exceeded")
}

func TestAnswerInProgress(t *testing.T) {
	r := startResources(t, nil)
	path := "/v1/sessions/" + r.newSession(t, "") + "/messages"
	stream := r.openStream(t, http.MethodPost, path, `{"content":"wait","stream":true}`)
	stream.next(t)
	wantCode(t, r.call(t, 409, "POST", path, `{"content":"hi"}`), "answer_in_progress")
	r.model.release()
	stream.rest(t)
	r.call(t, 201, "POST", path, `{"content":"hi"}`)
}

func TestResumeOfEvents(t *testing.T) {
	r := startResources(t, nil)
	path := "/v1/sessions/" + r.newSession(t, "") + "/messages"
	stream := r.openStream(t, http.MethodPost, path, `{"content":"wait","stream":true}`)
	var asked askedBody
	first := stream.next(t)
	if err := json.Unmarshal([]byte(first.data), &asked); err != nil || first.name != "message" || first.id != "" {
		t.Fatalf("first event %+v: %v", first, err)
	}
	if delta := stream.next(t); delta.id != "1" || delta.event.Text != "Hello" {
		t.Fatalf("got %+v", delta)
	}
	stream.cut()
	poll(t, "the stream is no longer counted", func() bool { return r.streams.Load() == 0 })
	events := "/v1/messages/" + asked.MessageID + "/events"
	resumed := r.openStream(t, http.MethodGet, events, "", "Last-Event-ID", "1")
	r.model.release()
	rest := resumed.rest(t)
	if len(rest) != 2 || rest[0].id != "2" || rest[0].event.Text != " world" || rest[1].name != "end" ||
		rest[1].event.Status != agent.MessageCompleted {
		t.Errorf("resumed %+v", rest)
	}
	poll(t, "the answer is stored", func() bool {
		m := decode[messageBody](t, r.call(t, 200, "GET", "/v1/messages/"+asked.MessageID, "").body)
		return m.Status == "completed" && m.Content == "Hello world"
	})
	for _, where := range []string{"", "?after=0"} {
		all := parseEvents(t, r.call(t, 200, "GET", events+where, "").body)
		if text := textOf(all); text != "Hello world" {
			t.Errorf("%q: text %q of %+v", where, text, all)
		}
	}
	for _, id := range []string{"x", "-1", "99999999999999999999"} {
		wantCode(t, r.call(t, 400, "GET", events, "", "Last-Event-ID", id), "invalid_last_event_id")
	}
	wantCode(t, r.call(t, 422, "GET", events+"?after=-1", ""), "validation_failed")
}

func TestTooManyAnswerStreams(t *testing.T) {
	r := startResources(t, func(o *Options) { o.MaxStreams = 1 })
	path := "/v1/sessions/" + r.newSession(t, "") + "/messages"
	stream := r.openStream(t, http.MethodPost, path, `{"content":"wait","stream":true}`)
	stream.next(t)
	other := "/v1/sessions/" + r.newSession(t, "") + "/messages"
	wantCode(t, r.call(t, 503, "POST", other, `{"content":"hi","stream":true}`), "too_many_streams")
	r.call(t, 201, "POST", other, `{"content":"hi"}`)
	r.model.release()
	stream.rest(t)
	poll(t, "the stream ends", func() bool { return r.streams.Load() == 0 })
	r.call(t, 200, "POST", other, `{"content":"hi","stream":true}`)
}

func TestKeepAlive(t *testing.T) {
	w := httptest.NewRecorder()
	live := newLiveEvents(w, time.Millisecond)
	poll(t, "two comments", func() bool {
		live.mu.Lock()
		defer live.mu.Unlock()
		return strings.Count(w.Body.String(), ":\n\n") >= 2
	})
	if err := live.send("1", "delta", "x"); err != nil {
		t.Fatal(err)
	}
	live.end()
	size := w.Body.Len()
	live.comment()
	if w.Body.Len() != size || !strings.HasSuffix(strings.TrimRight(w.Body.String(), ":\n"), `data: "x"`) {
		t.Errorf("got %q", w.Body.String())
	}
}

// received is an event of a stream.
type received struct {
	id, name, data string
	event          agent.Event
}

type liveStream struct {
	body *bufio.Scanner
	cut  func()
}

func (r *resources) openStream(t *testing.T, method, path, body string, header ...string) *liveStream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, method, "http://"+r.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.key)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", response.StatusCode, response.Header)
	}
	return &liveStream{bufio.NewScanner(response.Body), cancel}
}

// next returns an event, or one that is empty at the end.
func (l *liveStream) next(t *testing.T) received {
	t.Helper()
	var got received
	for l.body.Scan() && (l.body.Text() != "" || got.data == "") {
		field, value, _ := strings.Cut(l.body.Text(), ": ")
		switch field {
		case "id":
			got.id = value
		case "event":
			got.name = value
		case "data":
			got.data = value
		}
	}
	if err := l.body.Err(); err != nil {
		t.Fatal(err)
	}
	if got.id != "" {
		got.event = decode[agent.Event](t, []byte(got.data))
		if got.id != strconv.Itoa(got.event.Seq) || got.name != string(got.event.Type) {
			t.Errorf("got %+v", got)
		}
	}
	return got
}

func (l *liveStream) rest(t *testing.T) []received {
	t.Helper()
	var events []received
	for event := l.next(t); event.data != ""; event = l.next(t) {
		events = append(events, event)
	}
	return events
}

func parseEvents(t *testing.T, body []byte) []received {
	t.Helper()
	return (&liveStream{body: bufio.NewScanner(io.NopCloser(strings.NewReader(string(body))))}).rest(t)
}

func textOf(events []received) string {
	var text strings.Builder
	for _, event := range events {
		text.WriteString(event.event.Text)
	}
	return text.String()
}
