package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"agentstack/app/internal/testenv"
)

// waitTimeout bounds how long a test waits for a condition; a busy machine takes its time.
const waitTimeout = 60 * time.Second

// Secrets that no log may show; checkLog knows them by not-for-logs.
const (
	modelKey     = "sk-model-not-for-logs-5512"
	jwtKey       = "jwt-not-for-logs-8820-0123456789abcdef"
	signUpToken  = "sign-up-not-for-logs-4417"
	userPassword = "password-not-for-logs-9034"
)

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

// environment is what agentd serve depends on.
type environment struct {
	postgres *testenv.Postgres
	redis    *testenv.RedisCluster
	model    *upstream
	key      string // an API key of a tenant, once one was needed
}

// newEnvironment starts everything and migrates the database.
func newEnvironment(t *testing.T) *environment {
	t.Helper()
	e := &environment{postgres: testenv.NewPostgres(t), redis: testenv.NewRedisCluster(t), model: newUpstream(t)}
	e.migrate(t)
	return e
}

func (e *environment) migrate(t *testing.T) {
	t.Helper()
	var output buffer
	env := lookup(map[string]string{"DATABASE_URL": e.postgres.OwnerURL("postgres")})
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
		"MODELS":         catalog(e.model.URL),
		"MOCK_API_KEY":   modelKey,
		"BROKEN_API_KEY": modelKey,
		"CLAUDE_API_KEY": modelKey,
		"JWT_KEYS":       jwtKey,
		"SIGNUP_TOKEN":   signUpToken,
		"SHUTDOWN_DELAY": "0s",
		"LOG_LEVEL":      "debug",
		"APP_ENV":        "test",
		"REGION":         "local-1",
	}
}

// catalog names every model of mockllm, those that begin with claude- in Anthropic's protocol. Models that fail have a
// provider of their own, so that its circuit breaker concerns nobody else.
func catalog(url string) string {
	return fmt.Sprintf(`{
		"providers": [
			{"name": "mock", "kind": "openai", "baseUrl": "%[1]s/v1", "timeout": "20s", "retries": 0},
			{"name": "broken", "kind": "openai", "baseUrl": "%[1]s/v1", "timeout": "20s", "retries": 0},
			{"name": "claude", "kind": "anthropic", "baseUrl": "%[1]s", "timeout": "20s", "retries": 0}
		],
		"models": [
			{"name": "mock*", "routes": [{"provider": "mock"}], "inputPrice": 1, "outputPrice": 2},
			{"name": "mock-error", "routes": [{"provider": "broken"}]},
			{"name": "mock-truncate", "routes": [{"provider": "broken"}]},
			{"name": "m", "routes": [{"provider": "mock"}]},
			{"name": "gpt-*", "routes": [{"provider": "mock"}]},
			{"name": "claude-*", "routes": [{"provider": "claude"}]},
			{"name": "claude-tool", "routes": [{"provider": "claude", "model": "mock-tool"}]},
			{"name": "small", "routes": [{"provider": "mock", "model": "mock"}], "contextTokens": 1024}
		],
		"embeddingModel": "mock-embedding"
	}`, url)
}

func lookup(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
}

// server is a running agentd serve.
type server struct {
	env       *environment
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
	s := &server{env: e, logs: &buffer{}, terminate: terminate, exit: make(chan int, 1)}
	go func() { s.exit <- (process{lookup(variables), s.logs, s.logs}).run(ctx, []string{"serve"}) }()
	t.Cleanup(func() {
		terminate()
		select {
		case <-s.exit:
		case <-time.After(waitTimeout):
			t.Errorf("agentd did not stop")
		}
		s.checkLog(t)
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
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
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

// chat asks with the environment's API key unless the header has another authorization.
func (s *server) chat(t *testing.T, body string, header ...string) answer {
	t.Helper()
	return s.call(t, http.MethodPost, "/v1/chat/completions", body, header...)
}

// call is do with the environment's API key.
func (s *server) call(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	return s.do(t, method, path, body, append([]string{"Authorization", "Bearer " + s.key(t)}, header...)...)
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
