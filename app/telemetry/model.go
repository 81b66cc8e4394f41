package telemetry

import (
	"context"
	"errors"
	"io"
	"time"

	"agentstack/app/agent"
)

// Model returns next with every call recorded.
func (m *Metrics) Model(next agent.Model) agent.Model {
	return &model{next: next, metrics: m}
}

type model struct {
	next    agent.Model
	metrics *Metrics
}

func (m *model) Complete(ctx context.Context, request *agent.ChatRequest) (*agent.Completion, error) {
	call := m.metrics.startCall(request.Model)
	completion, err := m.next.Complete(ctx, request)
	if err == nil {
		call.usage = completion.Answer.Usage
	}
	call.end(ctx, err)
	return completion, err
}

func (m *model) Stream(ctx context.Context, request *agent.ChatRequest) (agent.Stream, error) {
	call := m.metrics.startCall(request.Model)
	next, err := m.next.Stream(ctx, request)
	if err != nil {
		call.end(ctx, err)
		return nil, err
	}
	return &stream{next: next, ctx: ctx, call: call}, nil
}

type stream struct {
	next agent.Stream
	ctx  context.Context
	call *call
	err  error // how the stream ended
}

func (s *stream) Next() (agent.Chunk, error) {
	chunk, err := s.next.Next()
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
	started time.Time
	usage   *agent.Usage
}

func (m *Metrics) startCall(model string) *call {
	return &call{metrics: m, model: m.models.label(model), started: time.Now()}
}

func (c *call) end(ctx context.Context, err error) {
	status, errorType := outcome(ctx, err)
	c.metrics.llmCalls.WithLabelValues(c.model, status, errorType).Inc()
	c.metrics.llmLatency.WithLabelValues(c.model).Observe(time.Since(c.started).Seconds())
	if c.usage == nil {
		return
	}
	tokens := c.metrics.tokenUsage
	tokens.WithLabelValues(c.model, DefaultAgent, "prompt").Add(float64(max(0, c.usage.PromptTokens)))
	tokens.WithLabelValues(c.model, DefaultAgent, "completion").Add(float64(max(0, c.usage.CompletionTokens)))
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
