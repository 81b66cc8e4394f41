package agent

import (
	"errors"
	"fmt"
)

var (
	// ErrStorage means that exchanges cannot be stored now. No model is called and no answer is sent without it.
	ErrStorage = errors.New("storage is unavailable")
	// ErrShutdown is the cause of every request context that the server ends because its time to drain is over.
	ErrShutdown = errors.New("server is shutting down")
)

// ModelErrorKind classifies failures of a model server; it is a metric label, so the set is closed.
type ModelErrorKind string

// The kinds of model errors.
const (
	ModelRejected      ModelErrorKind = "invalid_request" // the model server refused the request itself
	ModelRateLimited   ModelErrorKind = "rate_limit"
	ModelUnauthorized  ModelErrorKind = "authentication" // our credentials, not the client's
	ModelFailed        ModelErrorKind = "server_error"
	ModelTimeout       ModelErrorKind = "timeout"
	ModelUnreachable   ModelErrorKind = "connection"
	ModelProtocolError ModelErrorKind = "protocol" // an answer that is not what the protocol promises
)

// ModelError is a failed call of a model server. Error leaves Message out, because model servers quote
// prompts and keys in it and errors are logged.
type ModelError struct {
	Kind       ModelErrorKind
	Status     int    // HTTP status of the model server, 0 if there was none
	Message    string // as the model server said it
	Type       string
	Param      string
	Code       string
	RetryAfter string // the model server's Retry-After header
	Err        error
}

func (e *ModelError) Error() string {
	switch {
	case e.Status != 0:
		return fmt.Sprintf("model server answered %d (%s)", e.Status, e.Kind)
	case e.Err != nil:
		return fmt.Sprintf("model server: %s: %v", e.Kind, e.Err)
	default:
		return fmt.Sprintf("model server: %s", e.Kind)
	}
}

func (e *ModelError) Unwrap() error { return e.Err }
