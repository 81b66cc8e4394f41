package llm

import (
	"context"
	"io"
	"log/slog"

	"agentstack/app/agent"
)

// fake is a provider that answers with its name or fails as told.
type fake struct {
	name   string
	err    error
	hangs  bool // until the caller gives up
	breaks bool // streams fail after their first chunk
	asked  []*agent.ChatRequest
}

func (f *fake) outcome(ctx context.Context) error {
	if f.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.err
}

func (f *fake) Complete(ctx context.Context, request *agent.ChatRequest) (*agent.Completion, error) {
	f.asked = append(f.asked, request)
	if err := f.outcome(ctx); err != nil {
		return nil, err
	}
	return &agent.Completion{Answer: agent.Answer{Model: f.name}}, nil
}

// Stream succeeds: a failure comes with the first chunk.
func (f *fake) Stream(ctx context.Context, request *agent.ChatRequest) (agent.Stream, error) {
	f.asked = append(f.asked, request)
	return &fakeStream{fake: f, ctx: ctx}, nil
}

func (f *fake) Embed(ctx context.Context, request *agent.EmbeddingRequest) (*agent.EmbeddingAnswer, error) {
	f.asked = append(f.asked, &agent.ChatRequest{Model: request.Model, Body: request.Body})
	return &agent.EmbeddingAnswer{Body: []byte(f.name)}, f.outcome(ctx)
}

type fakeStream struct {
	*fake
	ctx    context.Context
	chunks int
	closed bool
}

func (s *fakeStream) Next() (agent.Chunk, error) {
	s.chunks++
	switch {
	case s.chunks == 1:
		return agent.Chunk{Delta: agent.Answer{Text: s.name}}, s.outcome(s.ctx)
	case s.breaks:
		return agent.Chunk{}, &agent.ModelError{Kind: agent.ModelFailed}
	default:
		return agent.Chunk{}, io.EOF
	}
}

func (s *fakeStream) Close() error { s.closed = true; return nil }

func newTestRouter(providers ...*fake) *Router {
	spec := agent.ModelSpec{Name: "m"}
	named := map[string]Provider{}
	for _, provider := range providers {
		named[provider.name] = provider
		spec.Routes = append(spec.Routes, agent.Route{Provider: provider.name})
	}
	return NewRouter([]agent.ModelSpec{spec}, named, slog.New(slog.DiscardHandler))
}
