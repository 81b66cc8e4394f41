package llm

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"agentstack/app/agent"
	"agentstack/app/problem"
)

func TestRouterFallback(t *testing.T) {
	failure := func(kind agent.ModelErrorKind) error { return &agent.ModelError{Kind: kind} }
	failed, refused, ok := failure(agent.ModelFailed), failure(agent.ModelRejected), error(nil)
	tests := map[string]struct {
		a, b, c error
		asked   string // providers in order
		want    string // the provider that answers, or the error's kind
	}{
		"first answers":    {ok, ok, ok, "a", "a"},
		"server error":     {failure(agent.ModelFailed), ok, ok, "ab", "b"},
		"timeout":          {failure(agent.ModelTimeout), ok, ok, "ab", "b"},
		"connection":       {failure(agent.ModelUnreachable), ok, ok, "ab", "b"},
		"protocol":         {failure(agent.ModelProtocolError), ok, ok, "ab", "b"},
		"rate limit":       {failure(agent.ModelRateLimited), ok, ok, "ab", "b"},
		"our key":          {failure(agent.ModelUnauthorized), ok, ok, "ab", "b"},
		"in order":         {failure(agent.ModelFailed), failure(agent.ModelTimeout), ok, "abc", "c"},
		"invalid request":  {failure(agent.ModelRejected), ok, ok, "a", "invalid_request"},
		"all fail":         {failed, failure(agent.ModelTimeout), failure(agent.ModelRateLimited), "abc", "rate_limit"},
		"fallback refuses": {failed, refused, ok, "abc", "c"},
		"both refuse":      {failed, refused, refused, "abc", "server_error"},
	}
	for name, test := range tests {
		a, b, c := &fake{name: "a", err: test.a}, &fake{name: "b", err: test.b}, &fake{name: "c", err: test.c}
		check := func(t *testing.T, got string, err error) {
			if err != nil {
				got = string(kind(t, err))
			}
			asked := ""
			for _, provider := range []*fake{a, b, c} {
				asked += strings.Repeat(provider.name, len(provider.asked))
				provider.asked = nil
			}
			if asked != test.asked || got != test.want {
				t.Errorf("asked %s, got %s, want %s, %s", asked, got, test.asked, test.want)
			}
		}
		r := newTestRouter(a, b, c)
		t.Run(name, func(t *testing.T) {
			completion, err := r.Complete(t.Context(), ask("m", "x"))
			if err != nil {
				completion = &agent.Completion{}
			}
			check(t, completion.Answer.Model, err)
		})
		t.Run(name+", stream", func(t *testing.T) {
			stream, err := r.Stream(t.Context(), ask("m", "x"))
			text := ""
			if err == nil {
				_, text, err = collect(t, stream)
			}
			check(t, text, err)
		})
		t.Run(name+", embeddings", func(t *testing.T) {
			answer, err := r.Embed(t.Context(), &agent.EmbeddingRequest{Model: "m", Body: []byte("{}")})
			if err != nil {
				answer = &agent.EmbeddingAnswer{}
			}
			check(t, string(answer.Body), err)
		})
	}
}

func TestRouterKeepsAStreamThatHasBegun(t *testing.T) {
	a, b := &fake{name: "a", breaks: true}, &fake{name: "b"}
	stream, err := newTestRouter(a, b).Stream(t.Context(), ask("m", "x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, text, err := collect(t, stream); text != "a" || kind(t, err) != agent.ModelFailed || len(b.asked) != 0 {
		t.Errorf("got %q, %v; the second was asked %d times", text, err, len(b.asked))
	}
}

func TestRouterEndsWithTheCaller(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	a, b := &fake{name: "a", hangs: true}, &fake{name: "b"}
	r := newTestRouter(a, b)
	if _, err := r.Complete(ctx, ask("m", "x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := r.Stream(ctx, ask("m", "x")); !errors.Is(err, context.DeadlineExceeded) || len(b.asked) > 0 {
		t.Errorf("got %v; the second was asked %d times", err, len(b.asked))
	}
}

func TestCircuitBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fake{name: "a", err: &agent.ModelError{Kind: agent.ModelFailed}}, &fake{name: "b"}
		r := newTestRouter(a, b)
		times := func(n int) int {
			a.asked = nil
			for range n {
				if _, err := r.Complete(t.Context(), ask("m", "x")); err != nil {
					t.Fatal(err)
				}
			}
			return len(a.asked)
		}
		if n := times(20); n != breakerFailures {
			t.Errorf("asked %d times before the breaker opened", n)
		}
		time.Sleep(breakerPause - time.Millisecond)
		if n := times(3); n != 0 {
			t.Errorf("asked %d times while open", n)
		}
		time.Sleep(2 * time.Millisecond)
		if n := times(3); n != 1 {
			t.Errorf("asked %d times while half-open, want one that opens it again", n)
		}
		time.Sleep(breakerPause + time.Millisecond)
		a.err = nil
		if n := times(10); n != 10 {
			t.Errorf("asked %d times of 10 after it recovered", n)
		}
		a.err, b.err = &agent.ModelError{Kind: agent.ModelTimeout}, &agent.ModelError{Kind: agent.ModelRateLimited}
		for range breakerFailures {
			_, _ = r.Stream(t.Context(), ask("m", "x"))
		}
		a.asked = nil
		_, err := r.Stream(t.Context(), ask("m", "x"))
		if len(a.asked) != 0 || kind(t, err) != agent.ModelRateLimited {
			t.Errorf("streams: asked %d times while open, got %v", len(a.asked), err)
		}
	})
}

func TestCircuitBreakerAlone(t *testing.T) {
	for name, test := range map[string]struct {
		err   error
		opens bool
	}{
		"server error":    {&agent.ModelError{Kind: agent.ModelFailed}, true},
		"timeout":         {&agent.ModelError{Kind: agent.ModelTimeout}, true},
		"connection":      {&agent.ModelError{Kind: agent.ModelUnreachable}, true},
		"protocol":        {&agent.ModelError{Kind: agent.ModelProtocolError}, true},
		"invalid request": {&agent.ModelError{Kind: agent.ModelRejected}, false},
		"rate limit":      {&agent.ModelError{Kind: agent.ModelRateLimited}, false},
		"our key":         {&agent.ModelError{Kind: agent.ModelUnauthorized}, false},
		"client gone":     {context.Canceled, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := &fake{name: "a", err: test.err}
			r := newTestRouter(a)
			for range 2 * breakerFailures {
				if _, err := r.Complete(t.Context(), ask("m", "x")); err == nil {
					t.Fatal("no error")
				}
			}
			if opened := len(a.asked) == breakerFailures; opened != test.opens {
				t.Errorf("asked %d times", len(a.asked))
			}
			_, err := r.Complete(t.Context(), ask("m", "x"))
			if test.opens && kind(t, err) != agent.ModelUnreachable {
				t.Errorf("open: got %v", err)
			}
		})
	}
}

func TestRouterModels(t *testing.T) {
	a := &fake{name: "a"}
	specs := []agent.ModelSpec{
		{Name: "z", Routes: []agent.Route{{Provider: "nobody"}}},
		{Name: "b", ContextTokens: 5, Routes: []agent.Route{
			{Provider: "nobody"}, {Provider: "a", Model: "real \"b\""},
		}},
		{Name: "b*", Routes: []agent.Route{{Provider: "a"}}},
		{Name: "b-long*", Routes: []agent.Route{{Provider: "a", Model: "long"}}},
	}
	r := NewRouter(specs, map[string]Provider{"a": a}, slog.New(slog.DiscardHandler))
	for name, want := range map[string]string{"b": `real "b"`, "b2": "b2", "b-long-er": "long", "b-lon": "b-lon"} {
		t.Run(name, func(t *testing.T) {
			spec, ok := r.Model(name)
			if !ok || spec.Name != name || spec.ContextTokens != map[bool]int{true: 5, false: 128000}[name == "b"] {
				t.Errorf("spec %+v, %t", spec, ok)
			}
			request := ask(name, "x")
			before := string(request.Body)
			if _, err := r.Complete(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			got := a.asked[len(a.asked)-1]
			if got.Model != want || gjson.GetBytes(got.Body, "model").String() != want || got.ID != "test" {
				t.Errorf("asked for %q: %s", got.Model, got.Body)
			}
			if string(request.Body) != before || request.Model != name {
				t.Errorf("the caller's request was changed: %s", request.Body)
			}
		})
	}
	if names := r.Models(); len(names) != 2 || names[0].Name != "b" || names[1].Name != "z" {
		t.Errorf("listed %+v", names)
	}
	var missing *problem.Error
	_, err := r.Stream(t.Context(), ask("c", "x"))
	if !errors.As(err, &missing) || missing.Kind != problem.NotFound ||
		missing.Code != "model_not_found" || missing.Param != "model" {
		t.Errorf("unknown model: %v", err)
	}
	if _, err := r.Complete(t.Context(), ask("z", "x")); kind(t, err) != agent.ModelUnreachable {
		t.Errorf("model without a route: %v", err)
	}
}

// TestRouterOverHTTP falls back from OpenAI's API to Anthropic's when nothing has come yet.
func TestRouterOverHTTP(t *testing.T) {
	for _, model := range []string{
		"mock-error", "mock-silent", "mock-rate-limit", "mock-unauthorized", "mock-overloaded",
	} {
		t.Run(model, func(t *testing.T) {
			u := startMock(t)
			options := u.options()
			options.Timeout = 500 * time.Millisecond
			providers := map[string]Provider{"openai": NewOpenAI(options), "anthropic": NewAnthropic(options)}
			routes := []agent.Route{{Provider: "openai", Model: model}, {Provider: "anthropic", Model: "claude"}}
			r := NewRouter([]agent.ModelSpec{{Name: "m", Routes: routes}}, providers, slog.New(slog.DiscardHandler))
			stream, err := r.Stream(t.Context(), askStream("m", "hello"))
			if err != nil {
				t.Fatal(err)
			}
			chunks, text, err := collect(t, stream)
			if err != nil || text != "You said: hello" || chunks[0].Delta.Model != "claude" || u.asked() != 2 {
				t.Errorf("got %q after %d calls, %v", text, u.asked(), err)
			}
		})
	}
}
