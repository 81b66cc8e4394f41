package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"agentstack/app/agent"
)

// maxError bounds how much of an error is read, in bytes.
const maxError = 64 << 10

// apiError is the error object of the API. Code is a string, a number or null.
type apiError struct {
	Message string `json:"message"`
	Type    string `json:"type"`
	Param   string `json:"param"`
	Code    any    `json:"code"`
}

func (e *apiError) modelError(status int) *agent.ModelError {
	failure := &agent.ModelError{
		Kind:    kindOf(status),
		Status:  status,
		Message: e.Message,
		Type:    e.Type,
		Param:   e.Param,
	}
	if e.Code != nil {
		failure.Code = fmt.Sprint(e.Code)
	}
	return failure
}

// answeredError reads the error of a response. One in another shape still has its status.
func answeredError(response *http.Response) error {
	var body struct {
		Error apiError `json:"error"`
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxError))
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	failure := body.Error.modelError(response.StatusCode)
	failure.Err = err
	failure.RetryAfter = response.Header.Get("Retry-After")
	return failure
}

// classify turns errors of a call into the domain's. ctx is the caller's context, callCtx the one with the
// time limit.
func classify(ctx, callCtx context.Context, err error) error {
	var failure *agent.ModelError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &failure):
		return failure
	case callCtx.Err() != nil:
		return &agent.ModelError{Kind: agent.ModelTimeout, Err: callCtx.Err()}
	default:
		return &agent.ModelError{Kind: agent.ModelUnreachable, Err: err}
	}
}

func kindOf(status int) agent.ModelErrorKind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return agent.ModelUnauthorized
	case status == http.StatusTooManyRequests:
		return agent.ModelRateLimited
	case status == http.StatusRequestTimeout:
		return agent.ModelTimeout
	case status >= 400 && status < 500:
		return agent.ModelRejected
	default:
		return agent.ModelFailed
	}
}

func protocolError(what string) *agent.ModelError {
	return &agent.ModelError{Kind: agent.ModelProtocolError, Err: errors.New(what)}
}
