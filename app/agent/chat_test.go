package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
)

// fakes are a model, a cache and a store of exchanges.
type fakes struct {
	calls  int
	chunks []Chunk
	cached map[string]*Completion
	saved  []*Exchange
	down   error
}

func (f *fakes) Complete(_ context.Context, request *ChatRequest) (*Completion, error) {
	f.calls++
	return &Completion{Body: []byte(request.TenantID)}, nil
}

func (f *fakes) Stream(context.Context, *ChatRequest) (Stream, error) { return f, nil }

func (f *fakes) Next() (Chunk, error) {
	if len(f.chunks) == 0 {
		return Chunk{}, io.EOF
	}
	chunk := f.chunks[0]
	f.chunks = f.chunks[1:]
	return chunk, nil
}

func (f *fakes) Close() error { return nil }

func (f *fakes) Get(_ context.Context, key string) (*Completion, error) { return f.cached[key], nil }

func (f *fakes) Put(_ context.Context, key string, completion *Completion) error {
	f.cached[key] = completion
	return nil
}

func (f *fakes) Ready(context.Context) error { return f.down }

func (f *fakes) Save(_ context.Context, exchange *Exchange) error {
	f.saved = append(f.saved, exchange)
	return nil
}

func chatRequest(tenant string, policy CachePolicy) *ChatRequest {
	return &ChatRequest{TenantID: tenant, KeyID: "key", Model: "m", Cache: policy, Body: []byte(`{"model":"m"}`)}
}

func TestChatCachesPerTenant(t *testing.T) {
	f := &fakes{cached: map[string]*Completion{}}
	chat := &Chat{Model: f, Cache: f, Exchanges: f, Log: slog.New(slog.DiscardHandler)}
	noStore, noCache := CachePolicy{NoRead: true, NoWrite: true}, CachePolicy{NoRead: true}
	noWrite := CachePolicy{NoWrite: true}
	for i, test := range []struct {
		tenant string
		policy CachePolicy
		hit    bool
		kept   int // answers in the cache afterwards
	}{
		{"a", noStore, false, 0}, {"a", noWrite, false, 0},
		{"a", CachePolicy{}, false, 1}, {"a", CachePolicy{}, true, 1},
		{"b", CachePolicy{}, false, 2}, {"b", CachePolicy{}, true, 2}, {"c", noCache, false, 3},
		{"c", CachePolicy{}, true, 3},
	} {
		completion, hit, err := chat.Complete(t.Context(), chatRequest(test.tenant, test.policy))
		if err != nil || hit != test.hit || string(completion.Body) != test.tenant || len(f.cached) != test.kept {
			t.Errorf("request %d: hit %t, %d kept, %v, %v", i, hit, len(f.cached), completion, err)
		}
		if x := f.saved[i]; x.TenantID != test.tenant || x.KeyID != "key" || x.Cached != test.hit {
			t.Errorf("request %d: stored %+v", i, x)
		}
	}
}

func TestChatWithoutStorageAndCache(t *testing.T) {
	usage := &Usage{PromptTokens: 1}
	f := &fakes{chunks: []Chunk{{Delta: Answer{Text: "x"}}, {Delta: Answer{Usage: usage}}}}
	chat := &Chat{Model: f, Log: slog.New(slog.DiscardHandler)}
	request := chatRequest("a", CachePolicy{})
	request.Body = []byte("not even read")
	if _, hit, err := chat.Complete(t.Context(), request); err != nil || hit {
		t.Errorf("hit %t, %v", hit, err)
	}
	emitted := 0
	got, err := chat.Stream(t.Context(), request, func(Chunk) error { emitted++; return nil })
	if err != nil || got != usage || emitted != 2 {
		t.Errorf("usage %v, %d chunks, %v", got, emitted, err)
	}
}

func TestChatNeedsItsStorage(t *testing.T) {
	f := &fakes{down: errors.New("lost")}
	chat := &Chat{Model: f, Exchanges: f, Log: slog.New(slog.DiscardHandler)}
	if _, _, err := chat.Complete(t.Context(), chatRequest("a", CachePolicy{})); !errors.Is(err, ErrStorage) {
		t.Error(err)
	}
	if _, err := chat.Stream(t.Context(), chatRequest("a", CachePolicy{}), nil); !errors.Is(err, ErrStorage) {
		t.Error(err)
	}
	if f.calls != 0 {
		t.Error("the model was called")
	}
}
