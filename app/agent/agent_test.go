package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestCacheKey(t *testing.T) {
	key := func(body string) string {
		key, err := (&ChatRequest{Body: []byte(body)}).CacheKey()
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return key
	}
	base := key(`{"model":"m","messages":[{"role":"user"},{}],"seed":12345678901234567890}`)
	for name, test := range map[string]struct {
		body string
		same bool
	}{
		"order and space":  {`{ "seed":12345678901234567890,"messages":[{"role":"user"}, {}], "model":"m"}`, true},
		"escaped":          {`{"model":"\u006d","messages":[{"role":"user"},{}],"seed":12345678901234567890}`, true},
		"last digit":       {`{"model":"m","messages":[{"role":"user"},{}],"seed":12345678901234567891}`, false},
		"content":          {`{"model":"m","messages":[{"role":"tool"},{}],"seed":12345678901234567890}`, false},
		"unknown field":    {`{"model":"m","messages":[{"role":"user"},{}],"seed":12345678901234567890,"x":1}`, false},
		"order of a list":  {`{"model":"m","messages":[{},{"role":"user"}],"seed":12345678901234567890}`, false},
		"number as string": {`{"model":"m","messages":[{"role":"user"},{}],"seed":"12345678901234567890"}`, false},
	} {
		if same := key(test.body) == base; same != test.same {
			t.Errorf("%s: same key %t, want %t", name, same, test.same)
		}
	}
}

func FuzzParseChatRequest(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}`))
	f.Add([]byte(`{"model":"m","messages":[{}],"stream_options":{"include_usage":null},"x":1e999}`))
	f.Add([]byte(`[null]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		request, err := ParseChatRequest(body)
		if err != nil {
			var refused *RequestError
			if !errors.As(err, &refused) {
				t.Fatalf("not a RequestError: %v", err)
			}
			return
		}
		if request.Model == "" {
			t.Error("accepted without a model")
		}
		if _, err := request.CacheKey(); err != nil {
			t.Errorf("accepted, but has no cache key: %v", err)
		}
	})
}

func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		var failure atomic.Pointer[error]
		probe := NewProbe("test", slog.New(slog.DiscardHandler), func(ctx context.Context) error {
			runs.Add(1)
			if err := failure.Load(); err != nil {
				<-ctx.Done() // hangs until the probe's own limit
				return *err
			}
			return nil
		})
		for range 100 {
			if err := probe.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if runs.Load() != 1 {
			t.Errorf("%d checks within one second, want 1", runs.Load())
		}
		lost := errors.New("lost")
		failure.Store(&lost)
		time.Sleep(probeAge)
		started := time.Now()
		if err := probe.Check(t.Context()); err != nil || time.Since(started) > 0 {
			t.Errorf("while a check hangs: %v after %s, want the recent result at once", err, time.Since(started))
		}
		time.Sleep(probeTimeout)
		if err := probe.Check(t.Context()); !errors.Is(err, lost) {
			t.Errorf("got %v, want %v", err, lost)
		}
		time.Sleep(time.Minute)
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := probe.Check(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("caller that goes away: %v", err)
		}
		started = time.Now()
		if err := probe.Check(t.Context()); !errors.Is(err, lost) || time.Since(started) > probeTimeout {
			t.Errorf("old result: %v after %s, want a new one within %s", err, time.Since(started), probeTimeout)
		}
		if runs.Load() != 3 {
			t.Errorf("%d checks, want 3", runs.Load())
		}
	})
}
