package http

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"agentstack/app/agent"
	"agentstack/app/telemetry"
)

// faulty is a model that panics, a store that keeps nothing and a cache that has nothing.
type faulty struct{}

func (faulty) Complete(context.Context, *agent.ChatRequest) (*agent.Completion, error) {
	panic("whole")
}
func (faulty) Stream(context.Context, *agent.ChatRequest) (agent.Stream, error) { return faulty{}, nil }
func (faulty) Ready(context.Context) error                                      { return nil }
func (faulty) Save(context.Context, *agent.Exchange) error                      { return nil }
func (faulty) Get(context.Context, string) (*agent.Completion, error)           { return nil, nil }
func (faulty) Put(context.Context, string, *agent.Completion) error             { return nil }
func (faulty) Close() error                                                     { return nil }

// Next gives one chunk and panics on the second.
func (faulty) Next() (agent.Chunk, error) { return agent.Chunk{Data: []byte(`{"n":1}`)}, nil }

type panicsLater struct {
	faulty
	given bool
}

func (p *panicsLater) Stream(context.Context, *agent.ChatRequest) (agent.Stream, error) {
	return p, nil
}

func (p *panicsLater) Next() (agent.Chunk, error) {
	if p.given {
		panic("in the middle")
	}
	p.given = true
	return p.faulty.Next()
}

func TestPanics(t *testing.T) {
	var logs bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&logs, nil))
	chat := &agent.Chat{Model: &panicsLater{}, Exchanges: faulty{}, Cache: faulty{}, Log: log}
	s := NewServer(Options{Chat: chat, Metrics: telemetry.New("v", "test"), Log: log})
	server := httptest.NewServer(s.http.Handler)
	defer server.Close()
	post := func(stream string) (*http.Response, []byte, error) {
		body := `{"model":"m","messages":[{"role":"user"}],"stream":` + stream + `}`
		response, err := http.Post(server.URL+"/v1/chat/completions", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		return response, data, err
	}
	response, body, err := post("false")
	if err != nil || response.StatusCode != http.StatusInternalServerError ||
		!bytes.Contains(body, []byte("internal_error")) {
		t.Errorf("before the answer: %d %s %v", response.StatusCode, body, err)
	}
	if _, body, err := post("true"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("within the answer: %v, want a broken connection; got %s", err, body)
	}
	server.Close() // waits for the handlers
	metrics := httptest.NewRecorder()
	s.Metrics.Handler().ServeHTTP(metrics, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	want := `ai_agent_requests_total{app_version="v",endpoint="/v1/chat/completions",method="POST",status_code="500"} 2`
	if !strings.Contains(metrics.Body.String(), want) {
		t.Errorf("/metrics lacks %s", want)
	}
	if count := strings.Count(logs.String(), `"msg":"panic"`); count != 2 {
		t.Errorf("%d panics logged, want 2", count)
	}
}
