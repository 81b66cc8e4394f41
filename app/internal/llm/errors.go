package llm

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/tidwall/gjson"

	"agentstack/app/agent"
)

// maxError bounds how much of an error is read, in bytes.
const maxError = 64 << 10

// apiError is the error object of both APIs.
type apiError struct {
	message, kind, param, code string
}

// newAPIError reads an error. Some servers have a plain text in its place; codes may be numbers.
func newAPIError(value gjson.Result) apiError {
	if !value.IsObject() {
		return apiError{message: plain(value)}
	}
	return apiError{
		message: plain(value.Get("message")),
		kind:    plain(value.Get("type")),
		param:   plain(value.Get("param")),
		code:    plain(value.Get("code")),
	}
}

func (e apiError) modelError(status int) *agent.ModelError {
	return &agent.ModelError{
		Kind: kindOf(status), Status: status,
		Message: e.message, Type: e.kind, Param: e.param, Code: e.code,
	}
}

// checked returns a response of status 200 or an error. err is what the SDK made of the response.
func checked(ctx context.Context, response *http.Response, err error) (*http.Response, error) {
	switch {
	case response == nil:
		return nil, classify(ctx, err)
	case response.StatusCode != http.StatusOK:
		return nil, errors.Join(answeredError(response), response.Body.Close())
	case err != nil:
		return nil, errors.Join(classify(ctx, err), response.Body.Close())
	}
	return response, nil
}

// answeredError reads the error of a response. One in another shape still has its status.
func answeredError(response *http.Response) error {
	data, err := io.ReadAll(io.LimitReader(response.Body, maxError))
	if err == nil && !valid(data) {
		err = errors.New("the error is not JSON")
	}
	var body apiError
	if err == nil {
		body = newAPIError(gjson.GetBytes(data, "error"))
	}
	failure := body.modelError(response.StatusCode)
	failure.Err = err
	failure.RetryAfter = response.Header.Get("Retry-After")
	return failure
}

// classify turns errors of a call into the domain's. ctx is the caller's context.
func classify(ctx context.Context, err error) error {
	var failure *agent.ModelError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &failure):
		return failure
	case errors.Is(err, context.DeadlineExceeded):
		return &agent.ModelError{Kind: agent.ModelTimeout, Err: err}
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
