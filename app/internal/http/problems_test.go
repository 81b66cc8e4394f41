package http

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"agentstack/app/agent"
	"agentstack/app/problem"
)

func TestBadInput(t *testing.T) {
	s := startStub(t, stubModel{}, nil)
	const chat, embeddings = "POST /v1/chat/completions", "POST /v1/embeddings"
	messages := func(rest string) string { return `{"model":"m","messages":[{}]` + rest + `}` }
	deep := messages(`,"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000))
	bearer := func(credential string) []string { return []string{"Authorization", "Bearer " + credential} }
	basic := []string{"Authorization", "Basic YTpi"}
	key := func(key string) []string { return []string{idempotencyHeader, key} }
	for name, test := range map[string]struct {
		route, body string
		header      []string
		status      int
		code, param string
	}{
		"malformed":         {chat, `{"model":`, nil, 400, "", ""},
		"not an object":     {chat, `[]`, nil, 400, "", ""},
		"two values":        {chat, chatBody + chatBody, nil, 400, "", ""},
		"empty":             {chat, "", nil, 400, "", ""},
		"model is a number": {chat, `{"model":1,"messages":[{}]}`, nil, 400, "invalid_value", "model"},
		"no messages":       {chat, `{"model":"m"}`, nil, 400, "invalid_value", "messages"},
		"stream is a word":  {chat, messages(`,"stream":"yes"`), nil, 400, "invalid_value", "stream"},
		"deep nesting":      {chat, deep, nil, 400, "", ""},
		"invalid UTF-8":     {chat, messages(",\"x\":\"\xff\""), nil, 400, "invalid_utf8", ""},
		"too large":         {chat, strings.Repeat(" ", maxBody+1), nil, 413, "request_too_large", ""},
		"embedding of null": {embeddings, `{"model":"m","input":null}`, nil, 400, "invalid_value", "input"},
		"unknown model":     {"GET /v1/models/none", "", nil, 404, "model_not_found", "model"},
		"unknown path":      {"GET /v1/none", "", nil, 404, "not_found", ""},
		"unknown page":      {"GET /docs/../../etc/passwd", "", nil, 404, "not_found", ""},
		"unknown method":    {"DELETE /v1/chat/completions", "", nil, 405, "method_not_allowed", ""},
		"strange method":    {"BREW /livez", "", nil, 405, "method_not_allowed", ""},
		"no credential":     {chat, chatBody, []string{"Authorization", ""}, 401, "missing_credentials", ""},
		"basic":             {chat, chatBody, basic, 401, "invalid_credentials", ""},
		"long credential":   {chat, chatBody, bearer(strings.Repeat("a", 5000)), 401, "invalid_credentials", ""},
		"tab in credential": {chat, chatBody, bearer("a\tb"), 401, "invalid_credentials", ""},
		"expired token":     {chat, chatBody, bearer("a.b.c"), 401, "token_expired", ""},
		"wrong key":         {chat, chatBody, bearer(stubKey[:len(stubKey)-1] + "x"), 401, "invalid_api_key", ""},
		"wrong scope":       {chat, chatBody, bearer(stubAgentsKey), 403, "insufficient_scope", ""},
		"space in key":      {chat, chatBody, key("a b"), 400, "invalid_idempotency_key", ""},
		"long key":          {chat, chatBody, key(strings.Repeat("k", 256)), 400, "invalid_idempotency_key", ""},
	} {
		t.Run(name, func(t *testing.T) {
			method, path, _ := strings.Cut(test.route, " ")
			got := s.do(t, method, path, test.body, test.header...)
			if got.status != test.status {
				t.Fatalf("got %d %s, want %d", got.status, got.body, test.status)
			}
			checkProblem(t, got, test.code, test.param)
		})
	}
	if logs := s.logs.String(); strings.Contains(logs, stubSecret) || strings.Contains(logs, `"level":"ERROR"`) ||
		strings.Contains(logs, `"status":5`) {
		t.Errorf("logs:\n%.5000s", logs)
	}
}

// checkProblem tells whether an answer has all that a problem must have. An empty code stands for any.
func checkProblem(t *testing.T, got answer, code, param string) {
	t.Helper()
	p := got.problem
	if p.Status != got.status || p.Title != http.StatusText(got.status) ||
		p.Detail == "" || p.Detail != p.OpenAI.Message ||
		p.Instance != got.header.Get(requestIDHeader) || p.Instance == "" {
		t.Fatalf("got %s", got.body)
	}
	if code != "" && (p.Type != "urn:agentstack:problem:"+code || *p.OpenAI.Code != code) {
		t.Errorf("type %s, want %s", p.Type, code)
	}
	kinds := map[int]string{401: "authentication_error", 403: "permission_error"}
	if kind := cmp.Or(kinds[got.status], "invalid_request_error"); p.OpenAI.Type != kind {
		t.Errorf("type %q, want %q", p.OpenAI.Type, kind)
	}
	if given := p.OpenAI.Param; (given == nil) != (param == "") || given != nil && *given != param {
		t.Errorf("param %v, want %q", given, param)
	}
	if challenge := got.header.Get("WWW-Authenticate"); (challenge != "") != (kinds[got.status] != "") {
		t.Errorf("WWW-Authenticate: %q", challenge)
	}
}

func TestRequestIDs(t *testing.T) {
	s := startStub(t, stubModel{}, nil)
	long := strings.Repeat("a", maxRequestIDLength)
	for given, kept := range map[string]bool{
		"my.id-1": true, long: true, long + "a": false, "a b": false, "ü": false, "a\tb": false,
	} {
		got := s.do(t, "GET", "/livez", "", requestIDHeader, given).header.Get(requestIDHeader)
		if (got == given) != kept || got == "" {
			t.Errorf("%q became %q", given, got)
		}
	}
	for _, injected := range []string{
		"X-Request-Id: a\rX-Evil: 1", "Idempotency-Key: a\x00b", "Authorization: Bearer a\x0bb",
	} {
		got := s.send(t, "GET /v1/models HTTP/1.1\r\nHost: x\r\n"+injected+"\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") || strings.Contains(got, "X-Evil") {
			t.Errorf("%q: %s", injected, got)
		}
	}
	large := "GET /livez HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 80<<10) + "\r\n\r\n"
	if got := s.send(t, large); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("large header: %.100s", got)
	}
}

func TestTranslation(t *testing.T) {
	limited := &problem.Error{Kind: problem.Limited, Code: "c", Message: "m", RetryAfter: 1500 * time.Millisecond}
	model := func(kind agent.ModelErrorKind, status int, message, retry string) error {
		return &agent.ModelError{Kind: kind, Status: status, Message: message, RetryAfter: retry}
	}
	for name, test := range map[string]struct {
		err               error
		status            int
		code, kind, retry string
		text              string // empty stands for a text of ours
	}{
		"limited":     {limited, 429, "c", typeRateLimit, "2", "m"},
		"wrapped":     {fmt.Errorf("a: %w", limited), 429, "c", typeRateLimit, "2", "m"},
		"conflict":    {problem.New(problem.Conflict, "c", "m"), 409, "c", typeInvalidRequest, "", "m"},
		"storage":     {fmt.Errorf("%w: secret", agent.ErrStorage), 503, "storage_unavailable", typeServer, "5", ""},
		"shutdown":    {agent.ErrShutdown, 503, "shutting_down", typeServer, "1", ""},
		"timeout":     {context.DeadlineExceeded, 503, "timeout", typeServer, "1", ""},
		"socket":      {os.ErrDeadlineExceeded, 500, "internal_error", typeServer, "", ""},
		"unknown":     {errors.New("secret"), 500, "internal_error", typeServer, "", ""},
		"our key":     {model(agent.ModelUnauthorized, 401, "secret", ""), 502, "model_error", typeModel, "", ""},
		"model limit": {model(agent.ModelRateLimited, 429, "m", "7"), 429, "rate_limit", typeRateLimit, "7", "m"},
		"rejected":    {model(agent.ModelRejected, 404, "m", ""), 404, "invalid_request", typeInvalidRequest, "", "m"},
		"no status":   {model(agent.ModelRejected, 0, "", ""), 400, "invalid_request", typeInvalidRequest, "", ""},
		"slow model":  {model(agent.ModelTimeout, 0, "", ""), 504, "model_timeout", typeModel, "", ""},
		"lost model":  {model(agent.ModelUnreachable, 0, "", ""), 502, "model_unreachable", typeModel, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := problemOf(test.err)
			body, err := json.Marshal(p)
			if err != nil || strings.Contains(string(body), "secret") {
				t.Fatalf("%s %v", body, err)
			}
			if p.Status != test.status || p.Type != "urn:agentstack:problem:"+test.code ||
				p.OpenAI.Type != test.kind || p.GetHeaders().Get("Retry-After") != test.retry ||
				p.Detail != cmp.Or(test.text, p.Detail) || p.Detail == "" {
				t.Errorf("got %s, Retry-After %q", body, p.retryAfter)
			}
		})
	}
}

func TestPanics(t *testing.T) {
	given := false
	model := stubModel{
		complete: func(context.Context) (*agent.Completion, error) { panic("whole") },
		next: func(context.Context) (agent.Chunk, error) {
			if given {
				panic("in the middle")
			}
			given = true
			return agent.Chunk{Data: []byte(`{}`)}, nil
		},
	}
	s := startStub(t, model, nil)
	got := s.do(t, "POST", "/v1/chat/completions", chatBody)
	if got.status != 500 || *got.problem.OpenAI.Code != "internal_error" {
		t.Errorf("before the answer: %d %s", got.status, got.body)
	}
	if got, err := s.try(t.Context(), "POST", "/v1/chat/completions", streamBody); err == nil {
		t.Errorf("within the answer: want a broken connection; got %s", got.body)
	}
	want := `ai_agent_requests_total{app_version="v",endpoint="/v1/chat/completions",method="POST",status_code="500"} 2`
	poll(t, want, func() bool {
		metrics := httptest.NewRecorder()
		s.Metrics.Handler().ServeHTTP(metrics, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return strings.Contains(metrics.Body.String(), want)
	})
	if count := strings.Count(s.logs.String(), `"msg":"panic"`); count != 2 {
		t.Errorf("%d panics logged, want 2", count)
	}
}
