package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"agentstack/app/internal/mockllm"
	"agentstack/app/internal/testenv"
)

// waitTimeout bounds how long a test waits for a condition; a busy machine takes its time.
const waitTimeout = 30 * time.Second

// modelKey is the key for the model server; no log may show it.
const modelKey = "sk-model-not-for-logs-5512"

// buffer is a log that is written and read at the same time.
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

// lines decodes the log; every line must be a JSON object.
func (b *buffer) lines(t *testing.T) []map[string]any {
	t.Helper()
	var lines []map[string]any
	text := b.String()
	for line := range strings.Lines(text[:strings.LastIndex(text, "\n")+1]) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("log line is not JSON: %q", line)
		}
		lines = append(lines, fields)
	}
	return lines
}

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
			u.gone <- struct{}{}
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

// environment is what agentd serve depends on.
type environment struct {
	postgres *testenv.Postgres
	redis    *testenv.RedisCluster
	model    *upstream
}

// newEnvironment starts everything and migrates the database.
func newEnvironment(t *testing.T) *environment {
	t.Helper()
	e := &environment{testenv.NewPostgres(t), testenv.NewRedisCluster(t), newUpstream(t)}
	e.migrate(t)
	return e
}

func (e *environment) migrate(t *testing.T) {
	t.Helper()
	var output buffer
	env := lookup(map[string]string{"DATABASE_URL": e.postgres.URL()})
	if code := (process{env, &output, &output}).run(t.Context(), []string{"migrate"}); code != exitOK {
		t.Fatalf("migrate: exit code %d\n%s", code, output.String())
	}
}

func (e *environment) variables() map[string]string {
	return map[string]string{
		"LISTEN_ADDR":    "127.0.0.1:0",
		"DATABASE_URL":   e.postgres.URL(),
		"REDIS_ADDRS":    strings.Join(e.redis.Addrs(), ","),
		"REDIS_PASSWORD": testenv.Secret,
		"MODEL_BASE_URL": e.model.URL + "/v1",
		"MODEL_API_KEY":  modelKey,
		"SHUTDOWN_DELAY": "0s",
		"LOG_LEVEL":      "debug",
		"APP_ENV":        "test",
		"REGION":         "local-1",
	}
}

func lookup(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
}

// server is a running agentd serve.
type server struct {
	url       string
	logs      *buffer
	terminate context.CancelFunc // as SIGTERM
	exit      chan int
}

// start runs agentd serve with the environment's variables, some of them replaced.
func (e *environment) start(t *testing.T, replaced map[string]string) *server {
	t.Helper()
	variables := e.variables()
	maps.Copy(variables, replaced)
	ctx, terminate := context.WithCancel(context.Background())
	s := &server{logs: &buffer{}, terminate: terminate, exit: make(chan int, 1)}
	go func() { s.exit <- (process{lookup(variables), s.logs, s.logs}).run(ctx, []string{"serve"}) }()
	t.Cleanup(func() {
		terminate()
		select {
		case <-s.exit:
		case <-time.After(waitTimeout):
			t.Errorf("agentd did not stop")
		}
		if t.Failed() {
			t.Logf("agentd's log:\n%s", s.logs)
		}
	})
	eventually(t, "agentd listens", func() bool {
		for _, line := range s.logs.lines(t) {
			if line["msg"] == "listening" {
				s.url = "http://" + line["addr"].(string)
			}
		}
		return s.url != ""
	})
	return s
}

// wait returns the exit code after the server was told to stop.
func (s *server) wait(t *testing.T) int {
	t.Helper()
	select {
	case code := <-s.exit:
		s.exit <- code // for the cleanup
		return code
	case <-time.After(waitTimeout):
		t.Fatal("agentd did not stop")
		return 0
	}
}

// eventually polls until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(waitTimeout)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not after %s: %s", waitTimeout, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// answer is an HTTP response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   string
	closes bool // the server closes the connection after it
}

func (s *server) do(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	return answer{response.StatusCode, response.Header, string(data), response.Close}
}

func (s *server) get(t *testing.T, path string) answer {
	t.Helper()
	return s.do(t, http.MethodGet, path, "")
}

func (s *server) chat(t *testing.T, body string, header ...string) answer {
	t.Helper()
	return s.do(t, http.MethodPost, "/v1/chat/completions", body, header...)
}

// waitReady waits until the server has found its dependencies.
func (s *server) waitReady(t *testing.T) {
	t.Helper()
	eventually(t, "ready", func() bool { return s.get(t, "/ready").status == http.StatusOK })
}

// prompt is a chat request with one user message.
func prompt(model, text string, stream bool) string {
	body, err := json.Marshal(map[string]any{
		"model": model, "stream": stream, "messages": []map[string]string{{"role": "user", "content": text}},
	})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// exchange is a stored row.
type exchange struct {
	Model, AnswerModel, Status, Error, FinishReason, Response, Region string
	Streamed, Cached                                                  bool
	PromptTokens, CompletionTokens                                    *int
	Request                                                           string
}

// exchanges returns the rows of a request id.
func (e *environment) exchanges(t *testing.T, requestID string) []exchange {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), e.postgres.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(context.Background())
	rows, err := connection.Query(t.Context(), `SELECT model, answer_model, status, error, finish_reason,
		response, region, streamed, cached, prompt_tokens, completion_tokens, request::text AS request
		FROM exchanges WHERE request_id = $1 ORDER BY id`, requestID)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[exchange])
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// stored waits for the one row of a request id.
func (e *environment) stored(t *testing.T, requestID string) exchange {
	t.Helper()
	var found []exchange
	eventually(t, "exchange "+requestID+" is stored", func() bool {
		found = e.exchanges(t, requestID)
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Fatalf("%d rows of request %s, want 1", len(found), requestID)
	}
	return found[0]
}
