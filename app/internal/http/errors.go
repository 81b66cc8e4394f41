package http

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"

	"agentstack/app/agent"
)

// apiError is an error in OpenAI's shape.
type apiError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`

	status     int
	retryAfter string
}

type errorBody struct {
	Error apiError `json:"error"`
}

// The types of errors.
const (
	typeInvalidRequest = "invalid_request_error"
	typeServer         = "server_error"
	typeModel          = "upstream_error"
)

func newError(status int, kind, code, message string) apiError {
	return apiError{Message: message, Type: kind, Code: optional(code), status: status}
}

func internalError() apiError {
	return newError(http.StatusInternalServerError, typeServer, "internal_error", "The server had an internal error.")
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// errorFrom says to the client what it may know of an error.
func errorFrom(err error) apiError {
	var invalid *agent.RequestError
	var tooLarge *http.MaxBytesError
	var model *agent.ModelError
	switch {
	case errors.As(err, &invalid):
		answer := newError(http.StatusBadRequest, typeInvalidRequest, "", invalid.Message)
		answer.Param = optional(invalid.Param)
		return answer
	case errors.As(err, &tooLarge):
		return newError(http.StatusRequestEntityTooLarge, typeInvalidRequest, "request_too_large",
			"The request body is larger than 50 MiB.")
	case errors.As(err, &model):
		return modelError(model)
	case errors.Is(err, agent.ErrStorage):
		answer := newError(http.StatusServiceUnavailable, typeServer, "storage_unavailable",
			"The exchange cannot be stored now. Try again later.")
		answer.retryAfter = "5"
		return answer
	case errors.Is(err, agent.ErrShutdown):
		answer := newError(http.StatusServiceUnavailable, typeServer, "shutting_down",
			"The server is shutting down. Try again.")
		answer.retryAfter = "1"
		return answer
	case errors.Is(err, os.ErrDeadlineExceeded):
		return newError(http.StatusRequestTimeout, typeInvalidRequest, "request_timeout",
			"The request body did not arrive in time.")
	default:
		return internalError()
	}
}

// modelError passes on what concerns the client's request. What concerns our own credentials or the model
// server's insides stays here: its messages may quote our key.
func modelError(failure *agent.ModelError) apiError {
	switch failure.Kind {
	case agent.ModelRejected, agent.ModelRateLimited:
		answer := newError(failure.Status, failure.Type, failure.Code, failure.Message)
		answer.Param = optional(failure.Param)
		answer.retryAfter = failure.RetryAfter
		if answer.Type == "" {
			answer.Type = typeInvalidRequest
		}
		if answer.Message == "" {
			answer.Message = "The model server refused the request."
		}
		return answer
	case agent.ModelTimeout:
		return newError(http.StatusGatewayTimeout, typeModel, "model_timeout",
			"The model server did not answer in time.")
	case agent.ModelUnreachable:
		return newError(http.StatusBadGateway, typeModel, "model_unreachable",
			"The model server cannot be reached.")
	default:
		return newError(http.StatusBadGateway, typeModel, "model_error", "The model server failed.")
	}
}

func writeError(w http.ResponseWriter, answer apiError) {
	if answer.retryAfter != "" {
		w.Header().Set("Retry-After", answer.retryAfter)
	}
	writeJSON(w, answer.status, errorBody{answer})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client is gone, which the request's log line tells
}

// openAIErrors gives unknown routes and methods an error in the API's shape; the mux writes plain text.
func openAIErrors(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &discard{header: http.Header{}}
		mux.ServeHTTP(probe, r)
		if allow := probe.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			writeError(w, newError(http.StatusMethodNotAllowed, typeInvalidRequest, "method_not_allowed",
				"The method is not allowed here. Allowed: "+allow+"."))
			return
		}
		writeError(w, newError(http.StatusNotFound, typeInvalidRequest, "not_found", "There is nothing here."))
	})
}

// discard takes an answer of which only the header matters.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}
