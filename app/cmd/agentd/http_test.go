package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"agentstack/app/telemetry"
)

func testBadInput(t *testing.T, e *environment, s *server) {
	const valid = `"messages":[{"role":"user","content":"bad input"}]`
	for name, test := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"empty":             {``, 400, "JSON"},
		"not JSON":          {`{"model":`, 400, "JSON"},
		"array":             {`[]`, 400, "JSON"},
		"null":              {`null`, 400, "JSON"},
		"trailing":          {`{"model":"m",` + valid + `} x`, 400, "JSON"},
		"invalid UTF-8":     {"{\"model\":\"m\xff\"," + valid + "}", 400, "UTF-8"},
		"no model":          {`{` + valid + `}`, 400, "model"},
		"model is a number": {`{"model":1,` + valid + `}`, 400, "model"},
		"no messages":       {`{"model":"m"}`, 400, "messages"},
		"empty messages":    {`{"model":"m","messages":[]}`, 400, "messages"},
		"message a string":  {`{"model":"m","messages":["hi"]}`, 400, "messages"},
		"stream a string":   {`{"model":"m","stream":"yes",` + valid + `}`, 400, "stream"},
		"options a number":  {`{"model":"m","stream":true,"stream_options":1,` + valid + `}`, 400, "stream_options"},
		"too large":         {`{"model":"m","x":"` + strings.Repeat("a", 50<<20) + `",` + valid + `}`, 413, "50 MiB"},
	} {
		got := s.chat(t, test.body, "Content-Type", "application/json")
		kind, _, message := apiErrorOf(t, got.body)
		if got.status != test.status || kind != "invalid_request_error" || !strings.Contains(message, test.want) {
			t.Errorf("%s: got %d %s: %s", name, got.status, kind, message)
		}
	}
	if calls := e.model.requestsWith("bad input"); len(calls) != 0 {
		t.Errorf("the model server was called: %v", calls)
	}
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", 404}, {"POST", "/v1/unknown", 404},
		{"GET", "/v1/chat/completions", 405}, {"DELETE", "/ready", 405},
	} {
		got := s.do(t, test.method, test.path, "")
		apiErrorOf(t, got.body)
		if got.status != test.status {
			t.Errorf("%s %s: got %d, want %d", test.method, test.path, got.status, test.status)
		}
	}
	bodyThatBreaks(t, s)
	if got := s.get(t, "/livez"); got.status != http.StatusOK {
		t.Errorf("/livez: %d", got.status)
	}
}

// bodyThatBreaks sends half a body and goes away.
func bodyThatBreaks(t *testing.T, s *server) {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	const half = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n" +
		"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"model\""
	_, err = fmt.Fprintf(connection, half, s.key(t))
	if err != nil {
		t.Fatal(err)
	}
}

func testRequestID(t *testing.T, _ *environment, s *server) {
	if id := s.do(t, "GET", "/livez", "", "X-Request-Id", "my.id-1").header.Get("X-Request-Id"); id != "my.id-1" {
		t.Errorf("X-Request-Id: %q", id)
	}
	for _, given := range []string{"", "with space", strings.Repeat("x", 65), `"quoted"`} {
		id := s.do(t, "GET", "/livez", "", "X-Request-Id", given).header.Get("X-Request-Id")
		if id == given || len(id) < 16 {
			t.Errorf("X-Request-Id %q was answered with %q", given, id)
		}
	}
}

// seedFamilies are the metric families of section 6.3 of the seed guide.
var seedFamilies = []string{
	"ai_agent_active_sessions", "ai_agent_cache_hit_ratio", "ai_agent_cache_hits_total", "ai_agent_cache_misses_total",
	"ai_agent_db_queries_total", "ai_agent_db_query_duration_seconds", "ai_agent_info", "ai_agent_llm_calls_total",
	"ai_agent_llm_latency_seconds", "ai_agent_request_duration_seconds", "ai_agent_request_size_bytes",
	"ai_agent_requests_total", "ai_agent_response_size_bytes", "ai_agent_token_usage_total",
}

// ownFamilies are those that the seed guide does not have.
var ownFamilies = []string{
	"ai_agent_active_streams", "ai_agent_cost_usd_total", "ai_agent_limits_unchecked_total",
	"ai_agent_time_to_first_token_seconds",
}

func testMetrics(t *testing.T, _ *environment, s *server) {
	// Whatever order the tests run in, these make every family show.
	s.chat(t, prompt("mock-metrics", "count", false))
	s.chat(t, prompt("mock-metrics", "count", false))
	s.chat(t, prompt("mock-metrics", "count", true))
	s.get(t, "/no/such/path/unrouted-segment")
	s.do(t, "BREW", "/livez", "")
	body := s.get(t, "/metrics").body
	var families []string
	for line := range strings.Lines(body) {
		if name, ok := strings.CutPrefix(line, "# TYPE ai_agent_"); ok {
			families = append(families, "ai_agent_"+strings.Fields(name)[0])
		}
	}
	slices.Sort(families)
	want := slices.Sorted(slices.Values(slices.Concat(seedFamilies, ownFamilies)))
	if !slices.Equal(families, want) {
		t.Errorf("families:\n%v\nwant:\n%v", families, want)
	}
	for _, want := range []string{
		`ai_agent_info{environment="test",version="dev"} 1`,
		`ai_agent_requests_total{app_version="dev",endpoint="/v1/chat/completions",method="POST",status_code="200"}`,
		`ai_agent_requests_total{app_version="dev",endpoint="unmatched",method="GET",status_code="404"}`,
		`ai_agent_requests_total{app_version="dev",endpoint="unmatched",method="other",status_code="405"}`,
		`ai_agent_llm_calls_total{error_type="",model="mock-metrics",status="success"} 2`,
		`ai_agent_llm_latency_seconds_bucket{model="mock-metrics",le="60"}`,
		`ai_agent_llm_latency_seconds_bucket{model="mock-metrics",le="300"}`,
		`ai_agent_request_duration_seconds_bucket{endpoint="/v1/chat/completions",method="POST",le="60"}`,
		`ai_agent_token_usage_total{agent_id="default",model="mock-metrics",token_type="prompt"} 2`,
		`ai_agent_token_usage_total{agent_id="default",model="mock-metrics",token_type="completion"} 6`,
		// 2 prompt tokens at 1 USD and 6 of the answers at 2 USD a million.
		`ai_agent_cost_usd_total{model="mock-metrics"} 1.4e-05`,
		`ai_agent_time_to_first_token_seconds_count{model="mock-metrics"} 1`,
		`ai_agent_active_streams 0`,
		`ai_agent_limits_unchecked_total 0`,
		`ai_agent_cache_hits_total{cache_type="response"}`,
		`ai_agent_db_queries_total{operation="insert",table="exchanges"}`,
		`ai_agent_active_sessions{agent_id="default"}`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if strings.Contains(body, "unrouted-segment") {
		t.Error("/metrics contains a raw path")
	}
	var names []string
	for _, family := range telemetry.Families() {
		names = append(names, family.Name)
	}
	slices.Sort(names)
	if !slices.Equal(names, want) {
		t.Errorf("telemetry.Families: %v", names)
	}
}

// testLogs runs after the others and looks at everything they made the server write.
func testLogs(t *testing.T, s *server) {
	requests := 0
	for _, line := range s.logs.lines(t) {
		if line["msg"] != "request" {
			continue
		}
		requests++
		for _, field := range []string{"request_id", "method", "endpoint", "status", "duration_ms", "time", "level"} {
			if line[field] == nil {
				t.Fatalf("log line without %s: %v", field, line)
			}
		}
	}
	if requests < 50 {
		t.Errorf("%d requests logged", requests)
	}
	text := s.logs.String()
	for _, secret := range []string{
		"You said", "hello there", "cache me", "go away", modelKey, "not-for-logs", "Incorrect API key",
		"unrouted-segment",
	} {
		if strings.Contains(text, secret) {
			t.Errorf("the log contains %q", secret)
		}
	}
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	s := e.start(t, nil)
	s.waitReady(t)
	check := func(args ...string) int {
		var output buffer
		p := process{lookup(nil), &output, &output}
		return p.run(context.Background(), append([]string{"healthcheck"}, args...))
	}
	if code := check("--url", s.url+"/health"); code != exitOK {
		t.Errorf("healthy: exit code %d", code)
	}
	e.redis.Stop()
	eventually(t, "unhealthy", func() bool { return check("--url", s.url+"/health") == exitFailure })
	if code := check("--url", "http://127.0.0.1:1/health"); code != exitFailure {
		t.Errorf("nobody listens: exit code %d", code)
	}
	if code := check("--unknown"); code != exitUsage {
		t.Errorf("unknown flag: exit code %d", code)
	}
}
