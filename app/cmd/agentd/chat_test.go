package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestChat shares one healthy environment among what needs nothing else.
func TestChat(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	s := e.start(t, nil)
	s.waitReady(t)
	for name, test := range map[string]func(*testing.T, *environment, *server){
		"completion":           testCompletion,
		"unknown fields":       testUnknownFields,
		"cache":                testCache,
		"cache opt-out":        testCacheOptOut,
		"model errors":         testModelErrors,
		"truncated completion": testTruncatedCompletion,
		"stream":               testStream,
		"stream is flushed":    testStreamIsFlushed,
		"stream with tools":    testStreamWithTools,
		"stream that breaks":   testStreamThatBreaks,
		"client goes away":     testClientGoesAway,
		"odd content":          testOddContent,
		"official client":      testOfficialClient,
		"embeddings":           testEmbeddings,
		"tools":                testTools,
		"official npm client":  testNPMClient,
		"page of the API":      testDocs,
		"bad input":            testBadInput,
		"request id":           testRequestID,
		"metrics":              testMetrics,
	} {
		t.Run(name, func(t *testing.T) { test(t, e, s) })
	}
	t.Run("logs", func(t *testing.T) { testLogs(t, s) })
}

func testCompletion(t *testing.T, e *environment, s *server) {
	got := s.chat(t, prompt("gpt-test", "hello there", false), "X-Request-Id", "completion-1")
	if got.status != http.StatusOK || got.header.Get("X-Cache") != "miss" {
		t.Fatalf("got %d, X-Cache %q: %s", got.status, got.header.Get("X-Cache"), got.body)
	}
	if !strings.Contains(got.body, `"content":"You said: hello there"`) {
		t.Errorf("answer: %s", got.body)
	}
	row := e.stored(t, "completion-1")
	if row.Status != "completed" || row.Response != "You said: hello there" || row.Model != "gpt-test" ||
		row.FinishReason != "stop" || row.Streamed || row.Cached || row.Error != "" || row.Region != "local-1" {
		t.Errorf("row: %+v", row)
	}
	if row.PromptTokens == nil || *row.PromptTokens != 2 || row.CompletionTokens == nil || *row.CompletionTokens != 4 {
		t.Errorf("tokens: %v, %v", row.PromptTokens, row.CompletionTokens)
	}
	requests := e.model.requestsWith("hello there")
	if len(requests) != 1 || requests[0].authorization != "Bearer "+modelKey {
		t.Errorf("the model server got %+v", requests)
	}
}

func testUnknownFields(t *testing.T, e *environment, s *server) {
	body := `{ "x_new":{"b":[1,2.50,1e400],"a":null},"model":"m",
		"messages":[{"role":"user","content":"unknown fields"}] }`
	if got := s.chat(t, body); got.status != http.StatusOK {
		t.Fatalf("got %d: %s", got.status, got.body)
	}
	requests := e.model.requestsWith("unknown fields")
	if len(requests) != 1 || requests[0].body != body {
		t.Errorf("the model server got %+v, want the body unchanged", requests)
	}
}

func testCache(t *testing.T, e *environment, s *server) {
	first := s.chat(t, `{"model":"m","messages":[{"role":"user","content":"cache me <&>"}],"temperature":0.5}`)
	second := s.chat(t, `{ "temperature":0.5, "messages":[{"content":"cache me <&>","role":"user"}], "model":"m" }`,
		"X-Request-Id", "cache-2")
	if first.header.Get("X-Cache") != "miss" || second.header.Get("X-Cache") != "hit" {
		t.Errorf("X-Cache: %q, then %q", first.header.Get("X-Cache"), second.header.Get("X-Cache"))
	}
	if second.body != first.body || second.header.Get("Content-Type") != "application/json" {
		t.Errorf("cached answer differs:\n%s\n%s", first.body, second.body)
	}
	if calls := len(e.model.requestsWith("cache me")); calls != 1 {
		t.Errorf("%d calls of the model server, want 1", calls)
	}
	row := e.stored(t, "cache-2")
	if !row.Cached || row.Status != "completed" || row.Response != "You said: cache me <&>" {
		t.Errorf("row: %+v", row)
	}
	other := s.chat(t, `{"model":"m","messages":[{"role":"user","content":"cache me <&>"}],"temperature":0.6}`)
	if other.header.Get("X-Cache") != "miss" {
		t.Errorf("another temperature: X-Cache %q, want miss", other.header.Get("X-Cache"))
	}
}

func testCacheOptOut(t *testing.T, e *environment, s *server) {
	body := prompt("m", "opt out", false)
	for _, step := range []struct{ control, want string }{
		{"no-store", "bypass"}, // keeps nothing, so that the next one misses
		{"", "miss"},
		{"", "hit"},
		{"max-age=0, no-cache", "bypass"},
		{"No-Store", "bypass"},
		{"", "hit"},
	} {
		got := s.chat(t, body, "Cache-Control", step.control)
		if got.status != http.StatusOK || got.header.Get("X-Cache") != step.want {
			t.Errorf("Cache-Control %q: %d, X-Cache %q, want %q",
				step.control, got.status, got.header.Get("X-Cache"), step.want)
		}
	}
	if calls := len(e.model.requestsWith("opt out")); calls != 4 {
		t.Errorf("%d calls of the model server, want 4", calls)
	}
}

// apiErrorOf decodes an error in OpenAI's shape.
func apiErrorOf(t *testing.T, body string) (kind, code, message string) {
	t.Helper()
	var decoded struct {
		Error struct {
			Message string
			Type    string
			Code    *string
			Param   *string
		}
	}
	if err := json.Unmarshal([]byte(body), &decoded); err != nil || decoded.Error.Message == "" {
		t.Fatalf("not an error in OpenAI's shape: %q", body)
	}
	if decoded.Error.Code != nil {
		code = *decoded.Error.Code
	}
	return decoded.Error.Type, code, decoded.Error.Message
}

func testModelErrors(t *testing.T, e *environment, s *server) {
	for _, test := range []struct {
		model  string
		status int
		code   string
		row    string
	}{
		{"mock-unknown", 404, "model_not_found", "model server answered 404 (invalid_request)"},
		{"mock-rate-limit", 429, "rate_limit_exceeded", "model server answered 429 (rate_limit)"},
		{"mock-unauthorized", 502, "model_error", "model server answered 401 (authentication)"},
		{"mock-error", 502, "model_error", "model server answered 500 (server_error)"},
	} {
		for _, stream := range []bool{false, true} {
			id := "error-" + test.model
			if stream {
				id += "-stream"
			}
			got := s.chat(t, prompt(test.model, "fail", stream), "X-Request-Id", id)
			_, code, message := apiErrorOf(t, got.body)
			if got.status != test.status || code != test.code {
				t.Errorf("%s: got %d %s, want %d %s", id, got.status, code, test.status, test.code)
			}
			if strings.Contains(message, "key") {
				t.Errorf("%s: the error tells of our key: %s", id, message)
			}
			if row := e.stored(t, id); row.Status != "failed" || !strings.HasPrefix(row.Error, test.row) {
				t.Errorf("%s: row %+v", id, row)
			}
			if test.status == 429 && got.header.Get("Retry-After") != "1" {
				t.Errorf("%s: Retry-After %q", id, got.header.Get("Retry-After"))
			}
		}
	}
}

func testTruncatedCompletion(t *testing.T, e *environment, s *server) {
	got := s.chat(t, prompt("mock-truncate", "cut", false), "X-Request-Id", "cut-1")
	if got.status != http.StatusBadGateway {
		t.Errorf("got %d: %s", got.status, got.body)
	}
	if row := e.stored(t, "cut-1"); row.Status != "failed" {
		t.Errorf("row: %+v", row)
	}
}

func testOddContent(t *testing.T, e *environment, s *server) {
	for id, body := range map[string]string{
		"odd-nul":       `{"model":"m","messages":[{"role":"user","content":"a\u0000b"}]}`,
		"odd-surrogate": `{"model":"m","messages":[{"role":"user","content":"a\ud800b"}]}`,
		"odd-number":    `{"model":"m","messages":[{"role":"user","content":"n"}],"seed":1e999999}`,
		"odd-parts":     `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"part"}]}]}`,
		"odd-deep": `{"model":"m","messages":[{"role":"user","content":"deep"}],"x":` +
			strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`,
	} {
		if got := s.chat(t, body, "X-Request-Id", id); got.status != http.StatusOK {
			t.Errorf("%s: got %d: %s", id, got.status, got.body)
			continue
		}
		if row := e.stored(t, id); row.Status != "completed" {
			t.Errorf("%s: row %+v", id, row)
		}
	}
}
