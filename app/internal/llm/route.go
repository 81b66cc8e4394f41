package llm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/sony/gobreaker/v2"
	"github.com/tidwall/sjson"

	"agentstack/app/agent"
	"agentstack/app/problem"
)

const (
	// breakerFailures in a row open a provider's circuit breaker.
	breakerFailures = 5
	// breakerPause is how long it stays open; then one request at a time tries.
	breakerPause = 10 * time.Second
)

// guarded is a provider behind a circuit breaker.
type guarded struct {
	Provider
	breaker *gobreaker.CircuitBreaker[struct{}]
}

func newGuarded(name string, provider Provider, log *slog.Logger) *guarded {
	return &guarded{provider, gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         name,
		Timeout:      breakerPause,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
		IsSuccessful: answered,
		IsExcluded:   tellsNothing,
		OnStateChange: func(name string, from, to gobreaker.State) {
			log.Warn("circuit breaker changed", "provider", name, "from", from.String(), "to", to.String())
		},
	})}
}

// answered says whether the provider did its work. One that refuses a bad request did.
func answered(err error) bool {
	var failure *agent.ModelError
	return err == nil || errors.As(err, &failure) && failure.Kind == agent.ModelRejected
}

// tellsNothing is for outcomes that say nothing about the provider as a whole: the caller went away, or a limit
// or permission of one model or key was hit.
func tellsNothing(err error) bool {
	var failure *agent.ModelError
	if err == nil {
		return false
	}
	return !errors.As(err, &failure) ||
		failure.Kind == agent.ModelRateLimited || failure.Kind == agent.ModelUnauthorized
}

// call is what routing needs of a request.
type call struct {
	id, model string
	body      []byte
}

// follow tries the routes of the model in turn, until one answers or the first refuses the request itself. If
// none answers, it returns the last error of a provider that was asked. A fallback that refuses does not
// count: the provider before it might have taken the request.
func follow[T any](
	ctx context.Context, r *Router, c call, do func(p Provider, model string, body []byte) (T, error),
) (T, error) {
	var none T
	spec, ok := r.Model(c.model)
	if !ok {
		return none, &problem.Error{
			Kind: problem.NotFound, Code: "model_not_found", Param: "model",
			Message: fmt.Sprintf("There is no model %q.", c.model),
		}
	}
	var failure error
	for i, route := range spec.Routes {
		answer, err := try(r.providers[route.Provider], route, c, do)
		open := errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
		switch {
		case err == nil:
			return answer, nil
		case ctx.Err() != nil, failure == nil && answered(err):
			return none, err
		case failure == nil:
			failure = err
		case !open && !answered(err):
			failure = err
		}
		if i < len(spec.Routes)-1 {
			r.log.Warn("model route failed, trying the next", "request_id", c.id, "model", c.model,
				"provider", route.Provider, "error", err)
		}
	}
	if failure == nil {
		failure = &agent.ModelError{Kind: agent.ModelUnreachable, Err: errors.New("the model has no route")}
	}
	return none, failure
}

// try asks one provider, if its breaker lets it.
func try[T any](
	p *guarded, route agent.Route, c call, do func(p Provider, model string, body []byte) (T, error),
) (answer T, err error) {
	model, body := c.model, c.body
	if route.Model != "" && route.Model != c.model {
		model = route.Model
		if body, err = sjson.SetBytes(c.body, "model", model); err != nil {
			return answer, fmt.Errorf("set model: %w", err)
		}
	}
	_, err = p.breaker.Execute(func() (struct{}, error) {
		answer, err = do(p.Provider, model, body)
		return struct{}{}, err
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		err = &agent.ModelError{Kind: agent.ModelUnreachable, Err: err}
	}
	return answer, err
}

// begunStream is a stream whose first chunk has come.
type begunStream struct {
	agent.Stream
	first    *agent.Chunk
	firstErr error
}

// begin opens a stream and waits for its first chunk, so that a failure before that is one of the call.
func begin(ctx context.Context, model agent.Model, request *agent.ChatRequest) (agent.Stream, error) {
	stream, err := model.Stream(ctx, request)
	if err != nil {
		return nil, err
	}
	first, err := stream.Next()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, stream.Close())
	}
	return &begunStream{Stream: stream, first: &first, firstErr: err}, nil
}

// Next implements agent.Stream.
func (s *begunStream) Next() (agent.Chunk, error) {
	if s.first == nil {
		return s.Stream.Next()
	}
	chunk := *s.first
	s.first = nil
	return chunk, s.firstErr
}
