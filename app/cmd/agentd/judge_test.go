package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"agentstack/app/internal/config"
	"agentstack/app/internal/testenv"
	"agentstack/app/telemetry"
)

// judged starts a Prometheus with two pods to which requests come. It returns what agentd judge needs to compare them,
// and the file for the termination message.
func judged(t *testing.T, canaryStatus int) (variables map[string]string, message string) {
	t.Helper()
	addrs := map[string]string{}
	for name, status := range map[string]int{"stable": http.StatusOK, "canary": canaryStatus} {
		metrics := telemetry.New("v", "test")
		pod := httptest.NewServer(metrics.Handler())
		t.Cleanup(pod.Close)
		addrs[name] = pod.Listener.Addr().String()
		ctx, stop := context.WithCancel(t.Context())
		t.Cleanup(stop)
		go func() {
			for ctx.Err() == nil {
				metrics.ObserveRequest(telemetry.Request{
					Method: "GET", Endpoint: "/v1/models", Status: status, Duration: time.Millisecond,
				})
				time.Sleep(5 * time.Millisecond)
			}
		}()
	}
	message = filepath.Join(t.TempDir(), "termination-log")
	if err := os.WriteFile(message, []byte("of before"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"PROMETHEUS_URL":  testenv.NewPrometheus(t, addrs).URL(),
		"STABLE_SELECTOR": `pod="stable"`, "CANARY_SELECTOR": `pod="canary"`, "WINDOW": "1m",
		"TERMINATION_MESSAGE_PATH": message,
	}, message
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestJudgePasses(t *testing.T) {
	t.Parallel()
	variables, message := judged(t, http.StatusOK)
	settings, err := config.ReadJudge(lookup(variables))
	if err != nil {
		t.Fatal(err)
	}
	settings.Window = 3 * time.Second
	var stdout, stderr buffer
	p := process{lookup(variables), &stdout, &stderr}
	if code := p.exit(p.pass(t.Context(), settings, 500*time.Millisecond)); code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, stderr.String())
	}
	if got := stdout.String(); !strings.HasPrefix(got, "the canary is good\nMEASURE ") || got != read(t, message)+"\n" {
		t.Errorf("stdout:\n%stermination message:\n%s", got, read(t, message))
	}
	lines := stderr.lines(t)
	verdict, _ := lines[len(lines)-1]["verdict"].(map[string]any)
	measure, _ := verdict["error_ratio"].(map[string]any)
	if verdict["ok"] != true || measure["result"] != "ok" || measure["canary"] != 0.0 || len(lines) < 3 {
		t.Errorf("log:\n%s", stderr.String())
	}
}

// TestJudgeRefuses has a canary whose requests all fail, which needs no minute to be seen.
func TestJudgeRefuses(t *testing.T) {
	t.Parallel()
	variables, message := judged(t, http.StatusBadGateway)
	var stdout, stderr buffer
	p := process{lookup(variables), &stdout, &stderr}
	if code := p.exit(p.judge(t.Context(), time.Second)); code != exitFailure || stdout.String() != "" {
		t.Errorf("exit code %d, stdout:\n%s", code, stdout.String())
	}
	const want = "the canary is refused: error ratio of 100.00% is above the limit of 1.00%"
	if !strings.HasPrefix(read(t, message), want) || !strings.Contains(stderr.String(), "\nagentd: "+want) ||
		!strings.Contains(stderr.String(), `"msg":"judged","verdict":{"ok":false`) {
		t.Errorf("termination message:\n%s\nlog:\n%s", read(t, message), stderr.String())
	}
}

func TestJudgeIsStopped(t *testing.T) {
	t.Parallel()
	variables, message := judged(t, http.StatusOK)
	var output buffer
	ctx, terminate := context.WithCancel(t.Context())
	defer terminate()
	exit := make(chan int, 1)
	go func() { exit <- process{lookup(variables), &output, &output}.run(ctx, []string{"judge"}) }()
	eventually(t, "the judge looks", func() bool { return strings.Contains(output.String(), `"msg":"judging"`) })
	terminate()
	if code := <-exit; code != exitFailure || !strings.HasSuffix(read(t, message), "the canary is not judged") {
		t.Errorf("exit code %d: %s\n%s", code, read(t, message), output.String())
	}
}

func TestJudgeConfigurationErrors(t *testing.T) {
	t.Parallel()
	message := filepath.Join(t.TempDir(), "termination-log")
	variables := map[string]string{
		"TERMINATION_MESSAGE_PATH": message, "WINDOW": "30s", "MIN_REQUESTS": "0", "MAX_ERROR_RATIO": "2",
		"MAX_LATENCY_RATIO": "1.2x", "CANARY_SELECTOR": `pod="a"} or vector(1) #`, "LOG_LEVEL": "loud",
		"PROMETHEUS_URL": "http://judge:" + testenv.Secret + "@prometheus",
	}
	for _, exists := range []bool{false, true} {
		if exists {
			if err := os.WriteFile(message, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var output buffer
		code := process{lookup(variables), &output, &output}.run(t.Context(), []string{"judge"})
		if code != exitUsage || strings.Contains(output.String(), testenv.Secret) {
			t.Errorf("exit code %d, or a secret is shown:\n%s", code, output.String())
		}
		for _, name := range []string{
			"PROMETHEUS_URL", "STABLE_SELECTOR", "CANARY_SELECTOR", "WINDOW", "MIN_REQUESTS", "MAX_ERROR_RATIO",
			"MAX_LATENCY_RATIO", "LOG_LEVEL",
		} {
			if !strings.Contains(output.String(), "\n"+name+": ") {
				t.Errorf("%s is not reported in:\n%s", name, output.String())
			}
			if exists && !strings.Contains(read(t, message), "\n"+name+": ") {
				t.Errorf("%s is not in the termination message", name)
			}
		}
		if _, err := os.Stat(message); (err == nil) != exists {
			t.Errorf("termination message: %v, existed before: %t", err, exists)
		}
	}
}
