package http

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/problem"
)

func TestChat(t *testing.T) {
	s := startStub(t, stubModel{}, nil)
	for name, test := range map[string]struct{ control, cache string }{
		"plain": {"", "miss"}, "fresh": {"no-cache", "bypass"}, "private": {"max-age=0, No-Store", "bypass"},
	} {
		got := s.do(t, "POST", "/v1/chat/completions", chatBody, "Cache-Control", test.control)
		if got.status != 200 || string(got.body) != stubAnswer || got.header.Get("X-Cache") != test.cache ||
			got.header.Get("Content-Type") != "application/json" ||
			got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v %s", name, got.status, got.header, got.body)
		}
	}
	got := s.do(t, "POST", "/v1/embeddings", `{"model":"m","input":"x"}`)
	if string(got.body) != `{"object":"list","data":[]}` {
		t.Errorf("embeddings: %s", got.body)
	}
	model := `{"id":"org/m","object":"model","created":0,"owned_by":"p"}`
	for path, want := range map[string]string{
		"/v1/models":         `{"object":"list","data":[` + model + `]}`,
		"/v1/models/org%2Fm": model,
	} {
		if got := s.do(t, "GET", path, ""); strings.TrimSpace(string(got.body)) != want {
			t.Errorf("%s: %s", path, got.body)
		}
	}
	for _, want := range []string{
		`"endpoint":"/v1/models/{model}","status":200`,
		`"tenant_id":"` + stubTenant + `","key_id":"` + stubKeyID + `"`,
	} {
		poll(t, want+" is logged", func() bool { return strings.Contains(s.logs.String(), want) })
	}
}

func TestStreamThatFails(t *testing.T) {
	pieces := []agent.Chunk{{Data: []byte(`{"n":1}`)}, {Data: []byte(`{"n":2}`), Internal: true}}
	s := startStub(t, stubModel{next: func(context.Context) (agent.Chunk, error) {
		if len(pieces) == 0 {
			return agent.Chunk{}, &agent.ModelError{Kind: agent.ModelFailed, Message: "secret"}
		}
		piece := pieces[0]
		pieces = pieces[1:]
		return piece, nil
	}}, nil)
	got := s.do(t, "POST", "/v1/chat/completions", streamBody)
	events := strings.Split(strings.TrimSuffix(string(got.body), "\n\n"), "\n\n")
	failure := `"error":{"message":"The model server failed.","type":"upstream_error"`
	if len(events) != 2 || events[0] != `data: {"n":1}` || !strings.Contains(events[1], failure) {
		t.Errorf("events %q", events)
	}
	poll(t, "502 is logged", func() bool { return strings.Contains(s.logs.String(), `"status":502`) })
	got = s.do(t, "POST", "/v1/chat/completions", streamBody)
	if got.status != 502 || strings.Contains(string(got.body), "secret") {
		t.Errorf("before the first piece: %d %s", got.status, got.body)
	}
}

func TestTooManyStreams(t *testing.T) {
	release := make(chan struct{})
	s := startStub(t, stubModel{next: func(ctx context.Context) (agent.Chunk, error) {
		select {
		case <-release:
			return agent.Chunk{}, io.EOF
		case <-ctx.Done():
			return agent.Chunk{}, ctx.Err()
		}
	}}, func(o *Options) { o.MaxStreams = 2 })
	done := make(chan error, 2)
	for range 2 {
		go func() {
			got, err := s.try(context.Background(), "POST", "/v1/chat/completions", streamBody)
			if err == nil && got.status != 200 {
				err = errors.New(string(got.body))
			}
			done <- err
		}()
	}
	poll(t, "two streams are open", func() bool { return s.streams.Load() == 2 })
	got := s.do(t, "POST", "/v1/chat/completions", streamBody)
	if got.status != 503 || *got.problem.OpenAI.Code != "too_many_streams" || got.header.Get("Retry-After") != "1" {
		t.Errorf("third: %d %v %s", got.status, got.header, got.body)
	}
	if got := s.do(t, "POST", "/v1/chat/completions", chatBody); got.status != 200 {
		t.Errorf("not a stream: %d %s", got.status, got.body)
	}
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	poll(t, "no stream is open", func() bool { return s.streams.Load() == 0 })
}

// stubLimiter notes what is reserved and settled.
type stubLimiter struct {
	reserved, settled int64
	requests          int
	full              bool
}

func (l *stubLimiter) Allow(context.Context, string, int) error {
	l.requests++
	return nil
}

func (l *stubLimiter) Reserve(_ context.Context, _ string, _, tokens int64) error {
	l.reserved += tokens
	if l.full {
		return &problem.Error{Kind: problem.Limited, Code: "c", Message: "Over.", RetryAfter: time.Hour}
	}
	return nil
}

func (l *stubLimiter) Settle(_ context.Context, _ string, difference int64) error {
	l.settled += difference
	return nil
}

type limitedAccounts struct{ stubAccounts }

func (a limitedAccounts) KeyByID(ctx context.Context, id string) (*account.APIKey, error) {
	key, err := a.stubAccounts.KeyByID(ctx, id)
	key.TokensPerDay, key.RequestsPerMinute = 1000, 60
	return key, err
}

func TestBudget(t *testing.T) {
	limiter := &stubLimiter{}
	var failure error
	s := startStub(t, stubModel{complete: func(context.Context) (*agent.Completion, error) {
		usage := &agent.Usage{PromptTokens: 10, CompletionTokens: 5}
		return &agent.Completion{Body: []byte(stubAnswer), Answer: agent.Answer{Usage: usage}}, failure
	}}, func(o *Options) { o.Accounts = &account.Service{Store: limitedAccounts{}, Limiter: limiter} })
	post := func() int { return s.do(t, "POST", "/v1/chat/completions", chatBody).status }
	s.do(t, "GET", "/v1/models", "")
	if post(); limiter.requests != 2 {
		t.Errorf("%d requests counted, want 2", limiter.requests)
	}
	*limiter = stubLimiter{}
	if status := post(); status != 200 || limiter.reserved+limiter.settled != 15 || limiter.reserved < 256 {
		t.Errorf("%d: reserved %d, settled by %d; want 15 together", status, limiter.reserved, limiter.settled)
	}
	*limiter, failure = stubLimiter{}, &agent.ModelError{Kind: agent.ModelUnreachable}
	if status := post(); status != 502 || limiter.reserved+limiter.settled != 0 || limiter.reserved == 0 {
		t.Errorf("%d: reserved %d, settled by %d; want nothing together", status, limiter.reserved, limiter.settled)
	}
	limiter.full = true
	got := s.do(t, "POST", "/v1/chat/completions", chatBody)
	if got.status != 429 || got.header.Get("Retry-After") != "3600" || got.problem.OpenAI.Type != typeRateLimit {
		t.Errorf("over the budget: %d %v %s", got.status, got.header, got.body)
	}
}

func TestEvents(t *testing.T) {
	recorder := httptest.NewRecorder()
	events := newEventWriter(recorder)
	for _, data := range []string{`{"a":1}`, "a\nb\r\nc\rd", "e\n"} {
		if err := events.event("7", "delta", []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	const head = "id: 7\nevent: delta\n"
	want := head + "data: {\"a\":1}\n\n" + head + "data: a\ndata: b\ndata: c\ndata: d\n\n" + head + "data: e\n\n"
	if got := recorder.Body.String(); got != want || !recorder.Flushed {
		t.Errorf("got %q, want %q", got, want)
	}
	if !bytes.HasPrefix([]byte(recorder.Header().Get("Content-Type")), []byte("text/event-stream")) {
		t.Error(recorder.Header())
	}
}
