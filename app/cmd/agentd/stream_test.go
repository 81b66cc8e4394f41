package main

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// events reads a stream's data lines.
type events struct {
	t       *testing.T
	scanner *bufio.Scanner
	close   func()
}

// openStream sends a streaming request and returns after the header of the answer.
func (s *server) openStream(t *testing.T, body, requestID string) *events {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	url := s.url + "/v1/chat/completions"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Request-Id", requestID)
	request.Header.Set("Authorization", "Bearer "+s.key(t))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	kind := response.Header.Get("Content-Type")
	if response.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("got %d, Content-Type %q", response.StatusCode, kind)
	}
	return &events{t: t, scanner: bufio.NewScanner(response.Body), close: cancel}
}

// next returns the next event's data, or nothing at the end.
func (e *events) next() string {
	e.t.Helper()
	for e.scanner.Scan() {
		if data, ok := strings.CutPrefix(e.scanner.Text(), "data: "); ok {
			return data
		}
	}
	return ""
}

// skipTo reads on to the event that contains a text.
func (e *events) skipTo(text string) {
	e.t.Helper()
	for data := e.next(); !strings.Contains(data, text); data = e.next() {
		if data == "" {
			e.t.Fatalf("the stream ended before %q", text)
		}
	}
}

func (e *events) all() []string {
	e.t.Helper()
	var all []string
	for data := e.next(); data != ""; data = e.next() {
		all = append(all, data)
	}
	return all
}

func testStream(t *testing.T, e *environment, s *server) {
	all := s.openStream(t, prompt("gpt-test", "stream me", true), "stream-1").all()
	if len(all) != 7 || all[6] != "[DONE]" { // role, four tokens, finish, [DONE]
		t.Fatalf("events: %q", all)
	}
	for i, want := range []string{`"role":"assistant"`, `"You "`, `"said: "`, `"stream "`, `"me"`, `"stop"`} {
		if !strings.Contains(all[i], want) {
			t.Errorf("event %d: %s, want %s in it", i, all[i], want)
		}
	}
	row := e.stored(t, "stream-1")
	if row.Status != "completed" || row.Response != "You said: stream me" || !row.Streamed ||
		row.FinishReason != "stop" {
		t.Errorf("row: %+v", row)
	}
	// Usage is counted although the client did not ask for it, and was not sent it.
	if row.PromptTokens == nil || *row.PromptTokens != 2 || row.CompletionTokens == nil || *row.CompletionTokens != 4 {
		t.Errorf("tokens: %v, %v", row.PromptTokens, row.CompletionTokens)
	}
	asked := s.openStream(t, `{"model":"m","stream":true,"stream_options":{"include_usage":true},
		"messages":[{"role":"user","content":"with usage"}]}`, "stream-2").all()
	usage := asked[len(asked)-2]
	if !strings.Contains(usage, `"prompt_tokens":2`) || !strings.Contains(usage, `"choices":[]`) {
		t.Errorf("the client asked for usage and got %q", usage)
	}
}

// testStreamIsFlushed waits for the first token of an answer whose second one never comes.
func testStreamIsFlushed(t *testing.T, e *environment, s *server) {
	stream := s.openStream(t, prompt("mock-hang", "flushed", true), "flush-1")
	stream.skipTo(`"You "`)
	stream.close()
	<-e.model.gone
	slow := s.openStream(t, prompt("mock-slow", "one two three", true), "flush-2")
	slow.skipTo(`"You "`)
	first := time.Now()
	slow.skipTo("[DONE]")
	// Five tokens with 100 ms after each: events that are held back would come together.
	if spread := time.Since(first); spread < 300*time.Millisecond {
		t.Errorf("all events came within %s", spread)
	}
}

func testStreamWithTools(t *testing.T, e *environment, s *server) {
	all := s.openStream(t, prompt("mock-tool", "use a tool", true), "tool-1").all()
	joined := strings.Join(all, "\n")
	if !strings.Contains(joined, `"name":"lookup"`) || !strings.Contains(joined, `"finish_reason":"tool_calls"`) {
		t.Errorf("events: %s", joined)
	}
	if row := e.stored(t, "tool-1"); row.Status != "completed" || row.FinishReason != "tool_calls" {
		t.Errorf("row: %+v", row)
	}
}

func testStreamThatBreaks(t *testing.T, e *environment, s *server) {
	for _, model := range []string{"mock-truncate", "mock-error-event"} {
		all := s.openStream(t, prompt(model, "break", true), "break-"+model).all()
		last := all[len(all)-1]
		if _, code, _ := apiErrorOf(t, last); code != "model_error" {
			t.Errorf("%s: the last event is %s", model, last)
		}
		row := e.stored(t, "break-"+model)
		if row.Status != "failed" || row.Response != "You " {
			t.Errorf("%s: row %+v", model, row)
		}
	}
}

func testClientGoesAway(t *testing.T, e *environment, s *server) {
	stream := s.openStream(t, prompt("mock-hang", "go away", true), "away-1")
	stream.skipTo(`"You "`)
	stream.close()
	select {
	case <-e.model.gone:
	case <-time.After(waitTimeout):
		t.Fatal("the call of the model server goes on")
	}
	if row := e.stored(t, "away-1"); row.Status != "aborted" || row.Response != "You " {
		t.Errorf("row: %+v", row)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body := strings.NewReader(prompt("mock-hang", "go away whole", false))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/chat/completions", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Request-Id", "away-2")
	request.Header.Set("Authorization", "Bearer "+s.key(t))
	done := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(request)
		done <- err
	}()
	eventually(t, "the model server is called", func() bool { return len(e.model.requestsWith("go away whole")) == 1 })
	cancel()
	if err := <-done; err == nil {
		t.Error("the request succeeded")
	}
	<-e.model.gone
	if row := e.stored(t, "away-2"); row.Status != "aborted" {
		t.Errorf("row: %+v", row)
	}
	eventually(t, "client aborts are counted", func() bool {
		return strings.Contains(s.get(t, "/metrics").body,
			`endpoint="/v1/chat/completions",method="POST",status_code="499"}`)
	})
}
