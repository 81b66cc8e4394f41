package llm

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"agentstack/app/agent"
)

// scripted is a transport that fails as told and writes down when it was asked.
type scripted struct {
	status int
	header http.Header
	err    error
	asked  []time.Time
	body   string
}

func (s *scripted) RoundTrip(request *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, time.Now())
	sent, err := io.ReadAll(request.Body)
	if err != nil || s.err != nil {
		return nil, errors.Join(err, s.err)
	}
	s.body = string(sent)
	return &http.Response{
		StatusCode: s.status, Header: s.header.Clone(),
		Body: io.NopCloser(strings.NewReader(`{"error":{"message":"no"}}`)),
	}, nil
}

func (s *scripted) waits() (waits []time.Duration) {
	for i := 1; i < len(s.asked); i++ {
		waits = append(waits, s.asked[i].Sub(s.asked[i-1]))
	}
	return waits
}

// TestRetryWaits runs in a bubble of synctest, so the waits are exact.
func TestRetryWaits(t *testing.T) {
	type span struct{ low, high time.Duration }
	backoff := []span{{375 * time.Millisecond, 500 * time.Millisecond}, {750 * time.Millisecond, time.Second}}
	seconds := []span{{time.Second, 1250 * time.Millisecond}, {time.Second, 1250 * time.Millisecond}}
	tests := map[string]struct {
		status        int // 0: no connection
		header, value string
		waits         []span
		kind          agent.ModelErrorKind
	}{
		"server error":         {500, "", "", backoff, agent.ModelFailed},
		"overloaded":           {529, "", "", backoff, agent.ModelFailed},
		"connection":           {0, "", "", backoff, agent.ModelUnreachable},
		"rate limit":           {429, "Retry-After", "1", seconds, agent.ModelRateLimited},
		"milliseconds":         {429, "Retry-After-Ms", "1000", seconds, agent.ModelRateLimited},
		"too long":             {429, "Retry-After", "6", nil, agent.ModelRateLimited},
		"endless":              {503, "Retry-After", "1e300", nil, agent.ModelFailed},
		"infinite":             {503, "Retry-After", "+Inf", nil, agent.ModelFailed},
		"no number":            {503, "Retry-After", "NaN", backoff, agent.ModelFailed},
		"negative":             {503, "Retry-After", "-5", backoff, agent.ModelFailed},
		"date":                 {503, "Retry-After", "Mon, 01 Jan 2035 00:00:00 GMT", nil, agent.ModelFailed},
		"forbidden by server":  {500, "X-Should-Retry", "false", nil, agent.ModelFailed},
		"the request is wrong": {400, "", "", nil, agent.ModelRejected},
		"our key is wrong":     {401, "", "", nil, agent.ModelUnauthorized},
	}
	for name, test := range tests {
		for _, api := range []string{"openai", "anthropic"} {
			t.Run(api+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					script := scripted{status: test.status, header: http.Header{}}
					script.header.Set(test.header, test.value)
					if test.status == 0 {
						script.err = errors.New("refused")
					}
					options := Options{BaseURL: "http://model/v1", Timeout: time.Minute, Retries: 2}
					p := Provider(newOpenAI(options, &httpDoer{&script}))
					if api == "anthropic" {
						p = newAnthropic(options, &httpDoer{&script})
					}
					_, err := p.Complete(t.Context(), ask("m", "the prompt"))
					if kind(t, err) != test.kind {
						t.Errorf("got %v, want %s", err, test.kind)
					}
					waits := script.waits()
					if len(waits) != len(test.waits) {
						t.Fatalf("waits %v, want %v", waits, test.waits)
					}
					for i, want := range test.waits {
						if waits[i] < want.low || waits[i] > want.high {
							t.Errorf("waits %v, want %v", waits, test.waits)
						}
					}
					if script.err == nil && !strings.Contains(script.body, "the prompt") {
						t.Errorf("the last attempt sent %q", script.body)
					}
				})
			})
		}
	}
}

// TestRetryJitter fails when all clients would come back at the same time.
func TestRetryJitter(t *testing.T) {
	for name, header := range map[string]http.Header{"backoff": nil, "Retry-After": {"Retry-After": {"1"}}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				waits := map[time.Duration]bool{}
				for range 20 {
					script := &scripted{status: 503, header: header}
					options := Options{BaseURL: "http://model/v1", Timeout: time.Minute, Retries: 1}
					_, _ = newOpenAI(options, &httpDoer{script}).Complete(t.Context(), ask("m", "x"))
					waits[script.waits()[0]] = true
				}
				if len(waits) < 10 {
					t.Errorf("20 clients waited only %d different times", len(waits))
				}
			})
		})
	}
}

func TestRetryEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := &scripted{status: 503}
		options := Options{BaseURL: "http://model/v1", Timeout: time.Minute, Retries: 5}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := newOpenAI(options, &httpDoer{script}).Complete(ctx, ask("m", "x"))
		if !errors.Is(err, context.DeadlineExceeded) || len(script.asked) != 1 {
			t.Errorf("got %v after %d attempts", err, len(script.asked))
		}
		if waited := time.Since(script.asked[0]); waited != 100*time.Millisecond {
			t.Errorf("waited %s", waited)
		}
	})
}

// TestRetryOverHTTP shows that what fails at first is answered in the end, whole and streamed.
func TestRetryOverHTTP(t *testing.T) {
	u := startMock(t)
	options := u.options()
	options.Retries = 2
	for name, p := range map[string]Provider{"openai": NewOpenAI(options), "anthropic": NewAnthropic(options)} {
		for _, model := range []string{"mock-flaky", "mock-busy"} {
			t.Run(name+" "+model, func(t *testing.T) {
				t.Parallel()
				got, err := p.Complete(t.Context(), ask(model, name))
				if err != nil || got.Answer.Text != "You said: "+name {
					t.Errorf("got %+v, %v", got, err)
				}
				stream, err := p.Stream(t.Context(), askStream(model, name+" streamed"))
				if err != nil {
					t.Fatal(err)
				}
				if _, text, err := collect(t, stream); err != nil || text != "You said: "+name+" streamed" {
					t.Errorf("got %q, %v", text, err)
				}
			})
		}
		t.Run(name+" not after the first byte", func(t *testing.T) {
			_, err := p.Complete(t.Context(), ask("mock-truncate", name))
			if kind(t, err) != agent.ModelUnreachable {
				t.Errorf("got %v", err)
			}
			if n := strings.Count(u.allBodies(), `"mock-truncate"`); n != 1 {
				t.Errorf("asked %d times", n)
			}
			u.forget()
		})
	}
}
