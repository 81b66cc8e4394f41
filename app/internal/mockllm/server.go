// Package mockllm is a model server with the APIs of OpenAI and Anthropic and scripted answers: the same
// request always gets the same answer. The model's name selects the behaviour; see Behaviours.
package mockllm

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tidwall/gjson"
)

// created is the time that every answer bears, in Unix seconds: answers are the same on every run.
const created = "1767225600"

// maxReserved bounds the memory taken on the word of a Content-Length, in bytes.
const maxReserved = 1 << 20

type server struct {
	failures failures
}

// Handler returns the server's routes.
func Handler() http.Handler {
	s := &server{failures: failures{failed: map[string]int{}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, []byte(`{"status":"ok"}`))
	})
	list := models()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, list)
	})
	mux.HandleFunc("POST /v1/chat/completions", s.answer(openAI{}))
	mux.HandleFunc("POST /v1/messages", s.answer(anthropic{}))
	mux.HandleFunc("POST /v1/embeddings", s.embed)
	return mux
}

// answer serves requests for text in a dialect.
func (s *server) answer(d dialect) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		request, err := readRequest(r)
		if err != nil {
			writeFault(w, d, badRequest(err.Error()))
			return
		}
		a := newAnswer(d, request)
		switch fault := s.failures.of(a.model, a.key); {
		case fault != nil:
			writeFault(w, d, fault)
		case request.Get("stream").Bool():
			stream(w, r, d, a)
		default:
			complete(w, r, d, a)
		}
	}
}

// readRequest returns a JSON object with a model.
func readRequest(r *http.Request) (gjson.Result, error) {
	size := max(bytes.MinRead, min(r.ContentLength, maxReserved))
	buffer := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	if _, err := buffer.ReadFrom(r.Body); err != nil {
		return gjson.Result{}, fmt.Errorf("read request: %w", err)
	}
	request := gjson.ParseBytes(buffer.Bytes())
	if !gjson.ValidBytes(buffer.Bytes()) || !request.IsObject() {
		return gjson.Result{}, errors.New("invalid JSON")
	}
	if request.Get("model").Type != gjson.String {
		return gjson.Result{}, errors.New("model must be a string")
	}
	return request, nil
}

func complete(w http.ResponseWriter, r *http.Request, d dialect, a *answer) {
	switch a.model {
	case hang, silent:
		<-r.Context().Done()
	case truncate:
		w.Header().Set("Content-Length", "1000")
		// The server closes the connection since the rest is missing.
		_, _ = w.Write([]byte(`{"id":"chatcmpl-`))
	default:
		if pace := paceOf(a.model); pace > 0 {
			pause(r, pace*time.Duration(a.completionTokens))
		}
		writeJSON(w, http.StatusOK, d.completion(make([]byte, 0, 1<<10), a))
	}
}

func pause(r *http.Request, duration time.Duration) {
	select {
	case <-r.Context().Done():
	case <-time.After(duration):
	}
}

func writeFault(w http.ResponseWriter, d dialect, f *fault) {
	if !f.retry {
		w.Header().Set("X-Should-Retry", "false")
	}
	if f.retryAfter != "" {
		w.Header().Set("Retry-After", f.retryAfter)
	}
	status, body := d.failure(f)
	writeJSON(w, status, body)
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client is gone
}
