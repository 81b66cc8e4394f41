// Package problem is the vocabulary of what a client may be told went wrong. Domains return these errors, and the
// HTTP adapter turns them into problem details. It imports the standard library only.
package problem

import (
	"fmt"
	"time"
)

// Kind decides the HTTP status of an answer.
type Kind string

// The kinds of problems.
const (
	Invalid         Kind = "invalid"         // 400: the request cannot be understood
	Unauthenticated Kind = "unauthenticated" // 401
	Forbidden       Kind = "forbidden"       // 403
	NotFound        Kind = "not_found"       // 404: also for what belongs to another tenant
	Conflict        Kind = "conflict"        // 409
	TooLarge        Kind = "too_large"       // 413
	Unprocessable   Kind = "unprocessable"   // 422: understood, but against a rule
	Limited         Kind = "limited"         // 429
	Unavailable     Kind = "unavailable"     // 503
)

// Error is a problem that the client may read in full. Err is for logs only.
type Error struct {
	Kind Kind
	// Code is a stable name for programs, as in model_not_found.
	Code string
	// Param is the offending field, empty for the request as a whole.
	Param string
	// Message is a sentence for people.
	Message string
	// RetryAfter is when to try again; 0 leaves it open.
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	text := e.Message
	if e.Param != "" {
		text = e.Param + ": " + text
	}
	if e.Err != nil {
		text = fmt.Sprintf("%s: %v", text, e.Err)
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// New returns a problem without a field.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// InvalidField says what is wrong with a field of the request.
func InvalidField(param, message string) *Error {
	return &Error{Kind: Invalid, Code: "invalid_value", Param: param, Message: message}
}

// Missing says that there is no such thing for this tenant.
func Missing(what string) *Error {
	return &Error{Kind: NotFound, Code: "not_found", Message: "There is no such " + what + "."}
}
