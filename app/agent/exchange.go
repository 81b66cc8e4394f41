package agent

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Status says how an exchange ended.
type Status string

// The ways an exchange ends.
const (
	StatusCompleted Status = "completed"
	StatusAborted   Status = "aborted" // the client went away before the answer was complete
	StatusFailed    Status = "failed"
)

// Exchange is the record of one chat request that was passed to a model or answered from the cache.
type Exchange struct {
	StartedAt time.Time
	Duration  time.Duration
	RequestID string
	TenantID  string
	KeyID     string // of the API key, or empty
	Model     string // as the client asked for it
	Stream    bool
	Cached    bool
	Status    Status
	Error     string // empty when completed
	Request   json.RawMessage
	Answer    Answer // as much of it as came
}

func newExchange(request *ChatRequest) *Exchange {
	return &Exchange{
		StartedAt: time.Now(),
		RequestID: request.ID,
		TenantID:  request.TenantID,
		KeyID:     request.KeyID,
		Model:     request.Model,
		Stream:    request.Stream,
		Request:   request.Body,
	}
}

// finish records the outcome. A context that ended for any reason but the server's own shutdown means
// that the client is gone.
func (x *Exchange) finish(ctx context.Context, err error) {
	x.Duration = time.Since(x.StartedAt)
	switch {
	case err == nil:
		x.Status = StatusCompleted
	case errors.Is(context.Cause(ctx), ErrShutdown):
		x.Status, x.Error = StatusFailed, ErrShutdown.Error()
	case ctx.Err() != nil || errors.Is(err, errEmit):
		x.Status, x.Error = StatusAborted, "client closed the connection"
	default:
		x.Status, x.Error = StatusFailed, detail(err)
	}
}

// detail adds the model server's own message, which errors for logs leave out.
func detail(err error) string {
	var modelError *ModelError
	if errors.As(err, &modelError) && modelError.Message != "" {
		return modelError.Error() + ": " + modelError.Message
	}
	return err.Error()
}
