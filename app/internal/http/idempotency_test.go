package http

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/problem"
)

// stubKeys keeps answers in memory.
type stubKeys struct {
	mu      sync.Mutex
	claims  map[string]*stubClaim
	failure error
}

type stubClaim struct {
	fingerprint []byte
	answer      *agent.StoredAnswer
}

func (k *stubKeys) Begin(
	_ context.Context, tenant, scope, key string, fingerprint []byte,
) (*agent.StoredAnswer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := tenant + scope + key
	switch claim := k.claims[id]; {
	case k.failure != nil:
		return nil, k.failure
	case claim == nil:
		if k.claims == nil {
			k.claims = map[string]*stubClaim{}
		}
		k.claims[id] = &stubClaim{fingerprint: fingerprint}
		return nil, nil
	case !bytes.Equal(claim.fingerprint, fingerprint):
		return nil, problem.New(problem.Unprocessable, "idempotency_key_reused", "Of another request.")
	case claim.answer == nil:
		return nil, problem.New(problem.Conflict, "idempotency_in_progress", "Not answered yet.")
	default:
		return claim.answer, nil
	}
}

func (k *stubKeys) Finish(_ context.Context, tenant, scope, key string, answer *agent.StoredAnswer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.claims[tenant+scope+key].answer = answer
	return nil
}

func (k *stubKeys) Forget(_ context.Context, tenant, scope, key string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.claims, tenant+scope+key)
	return nil
}

// held is the number of keys that are neither free nor finished.
func (k *stubKeys) held() (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, claim := range k.claims {
		if claim.answer == nil {
			n++
		}
	}
	return n
}

type thingOutput struct {
	Body struct {
		Name string `json:"name"`
		Key  string `json:"key,omitempty"`
	}
}

type thingInput struct {
	Body struct {
		Name string `json:"name" maxLength:"20"`
	}
}

func TestIdempotency(t *testing.T) {
	keys := &stubKeys{}
	s := startStub(t, stubModel{}, func(o *Options) { o.Idempotency = keys })
	var runs atomic.Int32
	make := func(_ context.Context, input *thingInput) (*thingOutput, error) {
		runs.Add(1)
		switch input.Body.Name {
		case "panic":
			panic("thing")
		case "fail":
			return nil, errors.New("lost")
		case "limited":
			return nil, problem.New(problem.Limited, "limited", "Later.")
		case "refused":
			return nil, problem.New(problem.Unprocessable, "refused", "No.")
		}
		output := &thingOutput{}
		output.Body.Name, output.Body.Key = input.Body.Name, "secret"
		return output, nil
	}
	operation := s.operation(http.MethodPost, "/v1/things", "Make a thing", account.ScopeChat)
	operation.DefaultStatus = http.StatusCreated
	register(s.Server, s.idempotent(operation, "key"), make)
	post := func(key, body string) answer { return s.do(t, "POST", "/v1/things", body, idempotencyHeader, key) }

	first, second := post("a", `{"name":"x"}`), post("a", `{"name":"x"}`)
	if first.status != 201 || !strings.Contains(string(first.body), "secret") ||
		first.header.Get(replayedHeader) != "" {
		t.Errorf("first: %d %s", first.status, first.body)
	}
	if string(second.body) != `{"name":"x"}` || second.status != 201 ||
		second.header.Get(replayedHeader) != "true" ||
		second.header.Get("Content-Type") != jsonMediaType || runs.Load() != 1 {
		t.Errorf("second: %d %v %s, %d runs", second.status, second.header, second.body, runs.Load())
	}
	if got := post("a", `{"name":"y"}`); got.status != 422 || *got.problem.OpenAI.Code != "idempotency_key_reused" {
		t.Errorf("another body: %d %s", got.status, got.body)
	}
	for name, test := range map[string]struct {
		status int
		runs   int32
	}{
		"panic":                 {500, 2},
		"fail":                  {500, 2},
		"limited":               {429, 2},
		"refused":               {422, 1},
		strings.Repeat("n", 21): {422, 0},
	} {
		runs.Store(0)
		body := `{"name":"` + name + `"}`
		a, b := post(name, body), post(name, body)
		if a.status != test.status || b.status != test.status || runs.Load() != test.runs {
			t.Errorf("%s: %d, %d, %d runs; want %+v", name, a.status, b.status, runs.Load(), test)
		}
	}
	if held := keys.held(); held != 0 {
		t.Errorf("%d keys are held by nobody", held)
	}
	keys.failure = errors.New("down")
	if got := post("b", `{"name":"x"}`); got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("store away: %d %s", got.status, got.body)
	}
}

func TestIdempotencyOfChat(t *testing.T) {
	keys := &stubKeys{}
	release := make(chan struct{})
	var runs atomic.Int32
	s := startStub(t, stubModel{complete: func(ctx context.Context) (*agent.Completion, error) {
		runs.Add(1)
		select {
		case <-release:
			return &agent.Completion{Body: []byte(stubAnswer)}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}, func(o *Options) { o.Idempotency = keys })
	post := func(ctx context.Context, body string) (answer, error) {
		return s.try(ctx, "POST", "/v1/chat/completions", body, idempotencyHeader, "k")
	}

	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := post(ctx, chatBody)
		left <- err
	}()
	poll(t, "the first runs", func() bool { return runs.Load() == 1 })
	if got, err := post(t.Context(), chatBody); err != nil || got.status != 409 {
		t.Errorf("while the first runs: %d %s %v", got.status, got.body, err)
	}
	leave()
	if err := <-left; err == nil {
		t.Error("an answer for a client that left")
	}
	poll(t, "the key is free after its client left", func() bool { return keys.held() == 0 })

	var answers sync.WaitGroup
	var ok, busy atomic.Int32
	runs.Store(0)
	for range 20 {
		answers.Go(func() {
			switch got, err := post(context.Background(), chatBody); {
			case err == nil && got.status == 200 && string(got.body) == stubAnswer:
				ok.Add(1)
			case err == nil && got.status == 409:
				busy.Add(1)
			default:
				t.Errorf("%d %s %v", got.status, got.body, err)
			}
		})
	}
	poll(t, "all but one are refused", func() bool { return busy.Load() == 19 })
	close(release)
	answers.Wait()
	if runs.Load() != 1 || ok.Load() != 1 {
		t.Errorf("%d runs, %d answers, want one", runs.Load(), ok.Load())
	}
	got := s.do(t, "POST", "/v1/chat/completions", streamBody, idempotencyHeader, "s")
	poll(t, "the key of a stream is free", func() bool { return keys.held() == 0 })
	if string(got.body) != "data: [DONE]\n\n" {
		t.Errorf("stream: %s", got.body)
	}
}
