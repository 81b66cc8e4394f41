package http

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"agentstack/app/agent"
	"agentstack/app/problem"
)

const problemMediaType = "application/problem+json"

// Problem is the body of every error: problem details of RFC 9457, and the same in OpenAI's shape, which its
// clients read. As an error it may be returned by any handler.
type Problem struct {
	Type     string              `json:"type" example:"urn:agentstack:problem:not_found" doc:"Its stable name"`
	Title    string              `json:"title" example:"Not Found" doc:"Text of the status"`
	Status   int                 `json:"status" example:"404"`
	Detail   string              `json:"detail" example:"There is no such agent." doc:"For people"`
	Instance string              `json:"instance" doc:"Id of the request, as in X-Request-Id"`
	Errors   []*huma.ErrorDetail `json:"errors,omitempty" doc:"What is wrong with each field"`
	OpenAI   OpenAIError         `json:"error" doc:"The same for clients of the OpenAI API"`

	retryAfter   string
	authenticate string // WWW-Authenticate
	cause        error
}

// OpenAIError is an error as OpenAI's API describes it.
type OpenAIError struct {
	Message string  `json:"message"`
	Type    string  `json:"type" example:"invalid_request_error"`
	Param   *string `json:"param" doc:"The offending field"`
	Code    *string `json:"code" example:"not_found"`
}

func (p *Problem) Error() string {
	if p.cause != nil {
		return p.cause.Error()
	}
	return p.Detail
}

func (p *Problem) Unwrap() error { return p.cause }

// GetStatus serves huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType serves huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemMediaType }

// GetHeaders serves huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	header := http.Header{}
	if p.retryAfter != "" {
		header.Set("Retry-After", p.retryAfter)
	}
	if p.authenticate != "" {
		header.Set("WWW-Authenticate", p.authenticate)
	}
	return header
}

// The types of errors in OpenAI's shape.
const (
	typeInvalidRequest = "invalid_request_error"
	typeAuthentication = "authentication_error"
	typePermission     = "permission_error"
	typeRateLimit      = "rate_limit_error"
	typeServer         = "server_error"
	typeModel          = "upstream_error"
)

func typeOf(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return typeAuthentication
	case status == http.StatusForbidden:
		return typePermission
	case status == http.StatusTooManyRequests:
		return typeRateLimit
	case status >= http.StatusInternalServerError:
		return typeServer
	default:
		return typeInvalidRequest
	}
}

func newProblem(status int, code, message string) *Problem {
	return &Problem{
		Type:   "urn:agentstack:problem:" + code,
		Title:  http.StatusText(status),
		Status: status,
		Detail: message,
		OpenAI: OpenAIError{Message: message, Type: typeOf(status), Code: optional(code)},
	}
}

func internalError() *Problem {
	return newProblem(http.StatusInternalServerError, "internal_error", "The server had an internal error.")
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

var statuses = map[problem.Kind]int{
	problem.Invalid:         http.StatusBadRequest,
	problem.Unauthenticated: http.StatusUnauthorized,
	problem.Forbidden:       http.StatusForbidden,
	problem.NotFound:        http.StatusNotFound,
	problem.Conflict:        http.StatusConflict,
	problem.TooLarge:        http.StatusRequestEntityTooLarge,
	problem.Unprocessable:   http.StatusUnprocessableEntity,
	problem.Limited:         http.StatusTooManyRequests,
	problem.Unavailable:     http.StatusServiceUnavailable,
}

// problemOf says to the client what it may know of an error.
func problemOf(err error) *Problem {
	var known *Problem
	if errors.As(err, &known) {
		return known
	}
	answer := translate(err)
	answer.cause = err
	return answer
}

// problemIn is problemOf for a request: what comes of the server's own shutdown looks like a client that left.
func problemIn(ctx context.Context, err error) *Problem {
	if errors.Is(context.Cause(ctx), agent.ErrShutdown) {
		return problemOf(errors.Join(agent.ErrShutdown, err))
	}
	return problemOf(err)
}

// writeProblem answers with a problem while no part of an answer is sent yet.
func writeProblem(w http.ResponseWriter, r *http.Request, answer *Problem) {
	note(r.Context(), answer)
	header := w.Header()
	for name, values := range answer.GetHeaders() {
		header[name] = values
	}
	writeBody(w, answer.Status, problemMediaType, answer)
}

// refuse answers with what the client may know of an error, unless it is gone.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	answer := problemIn(r.Context(), err)
	// A body that is late ends the context as a client that leaves does, but its client waits.
	late := answer.Status == http.StatusRequestTimeout
	if late {
		callOf(r.Context()).outcome = answer.Status
	}
	if late || !clientGone(r.Context()) {
		writeProblem(w, r, answer)
	}
}

func translate(err error) *Problem {
	var domain *problem.Error
	var model *agent.ModelError
	switch {
	case errors.Is(err, agent.ErrShutdown):
		return retryLater(newProblem(http.StatusServiceUnavailable, "shutting_down",
			"The server is shutting down. Try again."), time.Second)
	case errors.As(err, &domain):
		return domainProblem(domain)
	case errors.As(err, &model):
		return modelProblem(model)
	case errors.Is(err, agent.ErrStorage):
		return retryLater(newProblem(http.StatusServiceUnavailable, "storage_unavailable",
			"The storage is not available now. Try again later."), 5*time.Second)
	case errors.Is(err, context.DeadlineExceeded):
		return retryLater(newProblem(http.StatusServiceUnavailable, "timeout",
			"A part of the server did not answer in time. Try again."), time.Second)
	default:
		return internalError()
	}
}

func domainProblem(err *problem.Error) *Problem {
	status, ok := statuses[err.Kind]
	if !ok {
		return internalError()
	}
	answer := newProblem(status, err.Code, err.Message)
	answer.OpenAI.Param = optional(err.Param)
	if err.Param != "" && (err.Kind == problem.Invalid || err.Kind == problem.Unprocessable) {
		answer.Errors = []*huma.ErrorDetail{{Message: err.Message, Location: "body." + err.Param}}
	}
	if status == http.StatusUnauthorized {
		answer.authenticate = challenge + `, error="invalid_token"`
	}
	return retryLater(answer, err.RetryAfter)
}

// retryLater rounds up, so that a client that obeys is not too early.
func retryLater(answer *Problem, after time.Duration) *Problem {
	if after > 0 {
		answer.retryAfter = strconv.Itoa(int(math.Ceil(after.Seconds())))
	}
	return answer
}

// modelProblem passes on what concerns the client's request. What concerns our own credentials or the model
// server's insides stays here: its messages may quote our key.
func modelProblem(failure *agent.ModelError) *Problem {
	var answer *Problem
	switch failure.Kind {
	case agent.ModelRejected, agent.ModelRateLimited:
		return refusalOfModel(failure)
	case agent.ModelTimeout:
		answer = newProblem(http.StatusGatewayTimeout, "model_timeout",
			"The model server did not answer in time.")
	case agent.ModelUnreachable:
		answer = newProblem(http.StatusBadGateway, "model_unreachable", "The model server cannot be reached.")
	default:
		answer = newProblem(http.StatusBadGateway, "model_error", "The model server failed.")
	}
	answer.OpenAI.Type = typeModel
	return answer
}

func refusalOfModel(failure *agent.ModelError) *Problem {
	status, code, message := failure.Status, failure.Code, failure.Message
	if status < http.StatusBadRequest {
		status = http.StatusBadRequest
		if failure.Kind == agent.ModelRateLimited {
			status = http.StatusTooManyRequests
		}
	}
	if message == "" {
		message = "The model server refused the request."
	}
	answer := newProblem(status, string(failure.Kind), message)
	// OpenAI's clients get the codes that they know, null included.
	answer.OpenAI.Code, answer.OpenAI.Param = optional(code), optional(failure.Param)
	if failure.Type != "" {
		answer.OpenAI.Type = failure.Type
	}
	answer.retryAfter = failure.RetryAfter
	return answer
}

// unmatched gives unknown routes and methods a problem; the mux writes plain text, which the call holds back.
func (s *Server) unmatched(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r)
		c := callOf(r.Context())
		switch c.unmatched {
		case 0:
		case http.StatusNotFound:
			writeProblem(w, r, newProblem(http.StatusNotFound, "not_found", "There is nothing here."))
		case http.StatusMethodNotAllowed:
			writeProblem(w, r, newProblem(http.StatusMethodNotAllowed, "method_not_allowed",
				"The method is not allowed here. Allowed: "+w.Header().Get("Allow")+"."))
		default:
			writeProblem(w, r, newProblem(c.unmatched, "invalid_request", "The request has no valid path."))
		}
	})
}
