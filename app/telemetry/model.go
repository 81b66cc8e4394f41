package telemetry

import (
	"context"
	"errors"
	"io"
	"time"

	"agentstack/app/agent"
)

// Provider is a model server.
type Provider interface {
	agent.Model
	agent.EmbeddingModel
}

// Price is what tokens cost, in USD per million.
type Price struct{ Input, Output float64 }

// Provider returns next with every call recorded under the model's name as the provider is asked for it. Price
// knows what a model of this provider costs.
func (m *Metrics) Provider(next Provider, price func(model string) Price) Provider {
	return &provider{next: next, metrics: m, price: price}
}

type provider struct {
	next    Provider
	metrics *Metrics
	price   func(model string) Price
}

func (p *provider) Complete(ctx context.Context, request *agent.ChatRequest) (*agent.Completion, error) {
	call := p.start(request.Model)
	completion, err := p.next.Complete(ctx, request)
	if err == nil {
		call.usage = completion.Answer.Usage
	}
	call.end(ctx, err)
	return completion, err
}

func (p *provider) Stream(ctx context.Context, request *agent.ChatRequest) (agent.Stream, error) {
	call := p.start(request.Model)
	next, err := p.next.Stream(ctx, request)
	if err != nil {
		call.end(ctx, err)
		return nil, err
	}
	return &stream{next: next, ctx: ctx, call: call}, nil
}

func (p *provider) Embed(ctx context.Context, request *agent.EmbeddingRequest) (*agent.EmbeddingAnswer, error) {
	call := p.start(request.Model)
	answer, err := p.next.Embed(ctx, request)
	if err == nil {
		call.usage = answer.Usage
	}
	call.end(ctx, err)
	return answer, err
}

func (p *provider) start(model string) *call { return p.metrics.startCall(model, p.price(model)) }

type stream struct {
	next  agent.Stream
	ctx   context.Context
	call  *call
	begun bool
	err   error // how the stream ended
}

func (s *stream) Next() (agent.Chunk, error) {
	chunk, err := s.next.Next()
	if err == nil && !s.begun {
		s.begun = true
		s.call.metrics.firstToken.WithLabelValues(s.call.model).Observe(time.Since(s.call.started).Seconds())
	}
	if chunk.Delta.Usage != nil {
		s.call.usage = chunk.Delta.Usage
	}
	s.err = err
	return chunk, err
}

// Close ends the call. A stream that is closed before its end was given up by the client.
func (s *stream) Close() error {
	switch {
	case s.err == nil:
		s.call.end(s.ctx, context.Canceled)
	case errors.Is(s.err, io.EOF):
		s.call.end(s.ctx, nil)
	default:
		s.call.end(s.ctx, s.err)
	}
	return s.next.Close()
}

// call is a call of a model server that is going on.
type call struct {
	metrics *Metrics
	model   string
	price   Price
	started time.Time
	usage   *agent.Usage
}

func (m *Metrics) startCall(model string, price Price) *call {
	return &call{metrics: m, model: m.models.label(model), price: price, started: time.Now()}
}

func (c *call) end(ctx context.Context, err error) {
	status, errorType := outcome(ctx, err)
	c.metrics.llmCalls.WithLabelValues(c.model, status, errorType).Inc()
	c.metrics.llmLatency.WithLabelValues(c.model).Observe(time.Since(c.started).Seconds())
	if c.usage == nil {
		return
	}
	prompt, completion := float64(max(0, c.usage.PromptTokens)), float64(max(0, c.usage.CompletionTokens))
	c.metrics.tokenUsage.WithLabelValues(c.model, DefaultAgent, "prompt").Add(prompt)
	c.metrics.tokenUsage.WithLabelValues(c.model, DefaultAgent, "completion").Add(completion)
	c.metrics.cost.WithLabelValues(c.model).Add((prompt*c.price.Input + completion*c.price.Output) / 1e6)
}

// outcome returns the status and error_type labels: success with no type, canceled when the caller ended it,
// otherwise error with the kind.
func outcome(ctx context.Context, err error) (status, errorType string) {
	var failure *agent.ModelError
	switch {
	case err == nil:
		return "success", ""
	case errors.As(err, &failure):
		return "error", string(failure.Kind)
	case ctx.Err() != nil, errors.Is(err, context.Canceled):
		return "canceled", "canceled"
	default:
		return "error", otherLabel
	}
}
