package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

func TestRun(t *testing.T) {
	var logs buffer
	ctx, terminate := context.WithCancel(t.Context())
	exit := make(chan int, 1)
	env := func(string) (string, bool) { return "127.0.0.1:0", true }
	go func() { exit <- run(ctx, env, &logs, &logs) }()
	var url string
	for deadline := time.Now().Add(30 * time.Second); url == ""; time.Sleep(10 * time.Millisecond) {
		if _, after, found := strings.Cut(logs.String(), `"addr":"`); found {
			url = "http://" + after[:strings.Index(after, `"`)]
		}
		if time.Now().After(deadline) {
			t.Fatalf("mockllm does not listen: %s", logs.String())
		}
	}
	request := func(path, body string) string {
		method := http.MethodPost
		if body == "" {
			method = http.MethodGet
		}
		request, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, stream := range []string{"true", "false"} {
		body := `{"model":"any","messages":[{"role":"user","content":"same"}],"stream":` + stream + `}`
		first, second := request("/v1/chat/completions", body), request("/v1/chat/completions", body)
		if first != second || !strings.Contains(first, "same") {
			t.Errorf("stream %s: two answers:\n%s\n%s", stream, first, second)
		}
	}
	if models := request("/v1/models", ""); !strings.Contains(models, `"id":"mock"`) {
		t.Errorf("models: %s", models)
	}
	terminate()
	if code := <-exit; code != 0 {
		t.Errorf("exit code %d: %s", code, logs.String())
	}
	bad := func(string) (string, bool) { return "nonsense", true }
	if code := run(t.Context(), bad, &logs, &logs); code != 2 {
		t.Errorf("bad configuration: exit code %d, want 2", code)
	}
}
