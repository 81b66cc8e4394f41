// Package mockllm is a model server with an OpenAI-compatible API and scripted answers: the same request
// always gets the same answer. The model's name selects the behaviour; see Behaviours.
package mockllm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// created is the time that every answer bears, in Unix seconds: answers are the same on every run.
const created = 1767225600

// slowPause is the time between two tokens of the model mock-slow.
const slowPause = 100 * time.Millisecond

// Behaviours are the models by name. Any other name behaves as mock does.
var Behaviours = map[string]string{
	"mock":              "repeats the last user message",
	"mock-slow":         "as mock, one token each 100 ms",
	"mock-tool":         "calls the first tool of the request, or one named lookup",
	"mock-unknown":      "404 model_not_found",
	"mock-unauthorized": "401",
	"mock-rate-limit":   "429 with Retry-After: 1, not to be retried",
	"mock-error":        "500, not to be retried",
	"mock-error-event":  "an error event after the first token of a stream",
	"mock-truncate":     "ends in the middle of the answer",
	"mock-hang":         "the first token of a stream, then nothing until the client goes away",
}

type chatRequest struct {
	Model    string `json:"model"`
	Messages []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	} `json:"messages"`
	Tools []struct {
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	} `json:"tools"`
	Stream        bool `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

// Handler returns the server's routes.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /v1/models", models)
	mux.HandleFunc("POST /v1/chat/completions", chatCompletions)
	return mux
}

func chatCompletions(w http.ResponseWriter, r *http.Request) {
	var request chatRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		writeError(w, http.StatusBadRequest, "invalid_request_error", "", "invalid JSON: "+err.Error())
		return
	}
	if refused(w, request.Model) {
		return
	}
	answer := newAnswer(&request)
	if request.Stream {
		stream(w, r, answer)
		return
	}
	complete(w, r, answer)
}

// refused writes the answer of models that never give one.
func refused(w http.ResponseWriter, model string) bool {
	w.Header().Set("X-Should-Retry", "false")
	switch model {
	case "mock-unknown":
		message := fmt.Sprintf("The model `%s` does not exist", model)
		writeError(w, http.StatusNotFound, "invalid_request_error", "model_not_found", message)
	case "mock-unauthorized":
		writeError(w, http.StatusUnauthorized, "invalid_request_error", "invalid_api_key", "Incorrect API key provided")
	case "mock-rate-limit":
		w.Header().Set("Retry-After", "1")
		writeError(w, http.StatusTooManyRequests, "requests", "rate_limit_exceeded", "Rate limit reached")
	case "mock-error":
		writeError(w, http.StatusInternalServerError, "server_error", "", "The server had an error")
	default:
		return false
	}
	return true
}

func complete(w http.ResponseWriter, r *http.Request, answer *answer) {
	switch answer.model {
	case "mock-hang":
		<-r.Context().Done()
	case "mock-truncate":
		w.Header().Set("Content-Length", "1000")
		// The server closes the connection since the rest is missing.
		_, _ = w.Write([]byte(`{"id":"chatcmpl-`))
	case "mock-slow":
		for range answer.tokens {
			pause(r, slowPause)
		}
		writeJSON(w, http.StatusOK, answer.completion())
	default:
		writeJSON(w, http.StatusOK, answer.completion())
	}
}

func pause(r *http.Request, duration time.Duration) {
	select {
	case <-r.Context().Done():
	case <-time.After(duration):
	}
}

// text returns a message's content, which is a string or an array of parts.
func text(content json.RawMessage) string {
	var plain string
	if json.Unmarshal(content, &plain) == nil {
		return plain
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(content, &parts) != nil {
		return ""
	}
	var all strings.Builder
	for _, part := range parts {
		all.WriteString(part.Text)
	}
	return all.String()
}
