package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"agentstack/app/internal/mockllm"
)

// upstream is a model server that remembers what it was sent.
type upstream struct {
	*httptest.Server
	mu       sync.Mutex
	requests []upstreamRequest
	gone     chan struct{} // one for each request whose client went away
}

type upstreamRequest struct{ authorization, body string }

func newUpstream(t *testing.T) *upstream {
	u := &upstream{gone: make(chan struct{}, 100)}
	mock := mockllm.Handler()
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("model server: read request: %v", err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		u.mu.Lock()
		u.requests = append(u.requests, upstreamRequest{r.Header.Get("Authorization"), string(body)})
		u.mu.Unlock()
		mock.ServeHTTP(w, r)
		if r.Context().Err() != nil {
			select {
			case u.gone <- struct{}{}:
			default: // nobody asks for that many
			}
		}
	}))
	t.Cleanup(u.Close)
	return u
}

// requestsWith returns the requests whose body contains a text.
func (u *upstream) requestsWith(text string) []upstreamRequest {
	u.mu.Lock()
	defer u.mu.Unlock()
	var found []upstreamRequest
	for _, request := range u.requests {
		if strings.Contains(request.body, text) {
			found = append(found, request)
		}
	}
	return found
}
