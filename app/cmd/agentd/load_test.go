package main

import (
	"bufio"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestThousandStreams holds 1,000 streams at once, then lets all of them end.
func TestThousandStreams(t *testing.T) {
	const streams = 1000
	e := newEnvironment(t)
	s := e.start(t, map[string]string{"LOG_LEVEL": "info", "MAX_STREAMS": fmt.Sprint(streams)})
	key := s.key(t)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: streams}}
	t.Cleanup(client.CloseIdleConnections)
	open := func(model string) (*http.Response, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/chat/completions",
			strings.NewReader(prompt(model, "go", true)))
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", "Bearer "+key)
		return client.Do(request)
	}
	s.chat(t, prompt("m", "warm up", false))
	before := runtime.NumGoroutine()
	// Each waits after its first token until all have one.
	var begun, ended sync.WaitGroup
	var failed atomic.Int64
	all := make(chan struct{})
	begun.Add(streams)
	for range streams {
		ended.Go(func() {
			counted := sync.OnceFunc(begun.Done)
			defer counted()
			response, err := open("mock-pace-4000")
			if err != nil || response.StatusCode != http.StatusOK {
				failed.Add(1)
				return
			}
			defer response.Body.Close()
			lines := bufio.NewScanner(response.Body)
			lines.Scan()
			counted()
			<-all
			last := ""
			for lines.Scan() {
				if lines.Text() != "" {
					last = lines.Text()
				}
			}
			if last != "data: [DONE]" {
				failed.Add(1)
			}
		})
	}
	begun.Wait()
	active := fmt.Sprintf("ai_agent_active_streams %d\n", streams)
	if !strings.Contains(s.get(t, "/metrics").body, active) {
		t.Errorf("not %d streams at once", streams)
	}
	if response, err := open("mock"); err != nil || response.StatusCode != http.StatusServiceUnavailable ||
		response.Header.Get("Retry-After") == "" {
		t.Errorf("one stream more: %+v, error %v, want 503 with Retry-After", response, err)
	}
	if got := s.chat(t, prompt("m", "whole answers go on", false)); got.status != http.StatusOK {
		t.Errorf("chat beside %d streams: %d %s", streams, got.status, got.body)
	}
	close(all)
	ended.Wait()
	if failed.Load() > 0 {
		t.Errorf("%d of %d streams failed", failed.Load(), streams)
	}
	eventually(t, "no stream is left", func() bool {
		return strings.Contains(s.get(t, "/metrics").body, "ai_agent_active_streams 0\n")
	})
	if rows := e.countExchanges(t, "completed"); rows != streams+2 {
		t.Errorf("%d stored exchanges, want %d", rows, streams+2)
	}
	// The client, the API and the model server are one process here; connections have goroutines of their own.
	client.CloseIdleConnections()
	e.model.CloseClientConnections()
	left := fmt.Sprintf("the goroutines of the streams end, %d of them", runtime.NumGoroutine()-before)
	eventually(t, left, func() bool {
		return runtime.NumGoroutine() <= before+streams/50
	})
}
