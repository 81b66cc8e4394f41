package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// traffic is clients that send requests all the time and note what was acknowledged. Any other answer than the one they
// want fails the test.
type traffic struct {
	t       *testing.T
	server  atomic.Pointer[server] // may be replaced
	key     string
	done    [6]atomic.Int64 // by the index in start
	stop    context.CancelFunc
	workers sync.WaitGroup

	agents, chats []string // names and request ids that were acknowledged
	messages      int      // answers of session
	session       string
	refresh       string
}

// start begins, with a client for each kind of request.
func start(t *testing.T, owner signedUp) *traffic {
	t.Helper()
	f := &traffic{t: t, key: owner.newKey(t, `{"name":"traffic","scopes":["chat","agents"]}`), refresh: owner.refresh}
	f.server.Store(owner.server)
	f.session = owner.sessionOf(t, `{"name":"first","model":"mock"}`)
	ctx, stop := context.WithCancel(t.Context())
	f.stop = stop
	login := fmt.Sprintf(`{"email":"switchover@example.com","password":%q}`, userPassword)
	for kind, send := range []func(i int){
		func(i int) {
			id := fmt.Sprintf("switchover-%d", i)
			f.send("/v1/chat/completions", prompt("m", id, false), http.StatusOK, "X-Request-Id", id)
			f.chats = append(f.chats, id)
		},
		func(int) { f.send("/v1/agents?limit=3", "", http.StatusOK) },
		func(i int) {
			name := fmt.Sprintf("agent %d", i)
			body := fmt.Sprintf(`{"name":%q,"model":"mock"}`, name)
			f.send("/v1/agents", body, http.StatusCreated, "Idempotency-Key", fmt.Sprint(i))
			f.agents = append(f.agents, name)
		},
		func(i int) {
			question := fmt.Sprintf(`{"content":"question %d"}`, i)
			f.send("/v1/sessions/"+f.session+"/messages", question, http.StatusCreated)
			f.messages++
		},
		func(int) {
			got := f.send("/v1/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, f.refresh), http.StatusOK)
			var tokens struct {
				RefreshToken string `json:"refresh_token"`
			}
			if err := json.Unmarshal([]byte(got), &tokens); err != nil {
				t.Errorf("refresh: %v", err)
			}
			f.refresh = tokens.RefreshToken
		},
		func(int) {
			f.send("/v1/auth/login", login, http.StatusOK)
			select { // at most 10 a minute are allowed
			case <-ctx.Done():
			case <-time.After(7 * time.Second):
			}
		},
	} {
		f.workers.Go(func() {
			for i := 0; ctx.Err() == nil && !t.Failed(); i++ {
				send(i)
				f.done[kind].Add(1)
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	t.Cleanup(f.end)
	return f
}

// end lets the requests that are going on end.
func (f *traffic) end() {
	f.stop()
	f.workers.Wait()
}

// goesOn waits until every client but the one that logs in has had answers to requests that began after the call.
func (f *traffic) goesOn(t *testing.T, what string) {
	t.Helper()
	for kind := range len(f.done) - 1 {
		before := f.done[kind].Load()
		eventually(t, what+": requests are answered", func() bool {
			return f.done[kind].Load() >= before+2 || t.Failed()
		})
	}
	if t.Failed() {
		t.FailNow()
	}
}

// send makes a request, a POST if it has a body, and returns the answer's body.
func (f *traffic) send(path, body string, want int, header ...string) string {
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequest(method, f.server.Load().url+path, strings.NewReader(body))
	if err != nil {
		f.t.Error(err)
		return ""
	}
	request.Header.Set("Authorization", "Bearer "+f.key)
	request.Header.Set("Cache-Control", "no-store")
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	began := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		f.t.Errorf("%s %s: %v", method, path, err)
		return ""
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		f.t.Errorf("%s %s after %s: %d %s %v", method, path, time.Since(began), response.StatusCode, data, err)
	}
	return string(data)
}
