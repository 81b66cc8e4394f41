package http

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"agentstack/app/agent"
)

// humaCodes names the problems that huma finds by itself.
var humaCodes = map[int]string{
	http.StatusBadRequest:           "invalid_request",
	http.StatusNotFound:             "not_found",
	http.StatusNotAcceptable:        "not_acceptable",
	http.StatusUnsupportedMediaType: "unsupported_media_type",
	http.StatusUnprocessableEntity:  "validation_failed",
}

// huma asks these package variables for every error that it makes itself, and for the schema of errors.
func init() {
	huma.NewError = func(status int, text string, errs ...error) huma.StatusError {
		return newHumaProblem(status, text, errs...)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, text string, errs ...error) huma.StatusError {
		answer := newHumaProblem(status, text, errs...)
		note(ctx.Context(), answer)
		return answer
	}
}

func newHumaProblem(status int, message string, errs ...error) *Problem {
	code, ok := humaCodes[status]
	if !ok && status >= http.StatusInternalServerError {
		answer := internalError()
		answer.cause = errors.Join(errs...)
		return answer
	}
	if !ok {
		code = strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
	}
	answer := newProblem(status, code, message)
	for _, err := range errs {
		var detailer huma.ErrorDetailer
		if errors.As(err, &detailer) {
			answer.Errors = append(answer.Errors, withoutSecrets(detailer.ErrorDetail()))
		} else if err != nil {
			answer.Errors = append(answer.Errors, &huma.ErrorDetail{Message: err.Error()})
		}
	}
	if len(answer.Errors) > 0 {
		first := answer.Errors[0]
		answer.Detail = first.Message + " (" + first.Location + ")"
		answer.OpenAI.Message = answer.Detail
		answer.OpenAI.Param = optional(strings.TrimPrefix(strings.TrimPrefix(first.Location, "body"), "."))
	}
	return answer
}

// withoutSecrets leaves out values that are long or must not be seen by whoever reads the client's logs.
func withoutSecrets(detail *huma.ErrorDetail) *huma.ErrorDetail {
	const longest = 100
	kept := *detail
	switch value := detail.Value.(type) {
	case bool, float64, int:
	case string:
		secret := strings.Contains(detail.Location, "password") || strings.Contains(detail.Location, "token")
		if secret || len(value) > longest || detail.Location == "body" {
			kept.Value = nil
		}
	default:
		kept.Value = nil
	}
	return &kept
}

// note keeps what goes to the client for the request's log line. The cause of what is our fault is logged.
func note(ctx context.Context, answer *Problem) {
	c := callOf(ctx)
	if c == nil {
		return
	}
	answer.Instance = c.id
	c.problem = strings.TrimPrefix(answer.Type, "urn:agentstack:problem:")
	var model *agent.ModelError
	ours := answer.Status >= http.StatusInternalServerError || errors.As(answer.cause, &model)
	if ours && !clientGone(ctx) {
		c.log.LogAttrs(ctx, slog.LevelWarn, "request failed",
			slog.String("request_id", c.id), slog.Any("error", answer))
	}
}
