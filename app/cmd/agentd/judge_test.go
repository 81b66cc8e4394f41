package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"agentstack/app/internal/config"
	"agentstack/app/internal/kube"
	"agentstack/app/internal/testenv"
	"agentstack/app/telemetry"
)

const canaryImage = "api@sha256:2"

// trial is what agentd judge needs.
type trial struct {
	variables map[string]string
	message   string // the file for the termination message
	account   string // the folder of the service account
	patched   <-chan string
}

// judged starts a Prometheus with two pods to which requests come, and an API of Kubernetes that has their Deployments.
func judged(t *testing.T, canaryStatus int) trial {
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
			started := time.Now()
			for i := 0; ctx.Err() == nil; i++ {
				metrics.ObserveRequest(telemetry.Request{
					Method: "GET", Endpoint: "/v1/models", Status: status, Duration: time.Millisecond,
				})
				time.Sleep(time.Duration(i)*20*time.Millisecond - time.Since(started)) // as many come, if late
			}
		}()
	}
	trial := newTrial(t, "api@sha256:1")
	trial.variables["PROMETHEUS_URL"] = testenv.NewPrometheus(t, addrs).URL()
	return trial
}

// newTrial has an API of Kubernetes with the Deployments of both versions.
func newTrial(t *testing.T, stableImage string) trial {
	t.Helper()
	message := filepath.Join(t.TempDir(), "termination-log")
	if err := os.WriteFile(message, []byte("of before"), 0o600); err != nil {
		t.Fatal(err)
	}
	images := map[string]string{"api": stableImage, "api-canary": canaryImage}
	patched := make(chan string, 100)
	server, account := newKubeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		_, path, _ := strings.Cut(r.URL.Path, "/namespaces/data/")
		name := strings.TrimSuffix(strings.TrimPrefix(path, "deployments/"), "/scale")
		if r.Method == http.MethodPatch {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			patched <- name + " " + string(body)
		}
		fmt.Fprintf(w, `{"metadata": {"resourceVersion": "7"},
			"spec": {"template": {"spec": {"containers": [{"image": %q}]}}},
			"status": {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}}`, images[name])
	})
	return trial{
		variables: map[string]string{
			"PROMETHEUS_URL": "http://nowhere.invalid", "STABLE_SELECTOR": `pod="stable"`,
			"CANARY_SELECTOR": `pod="canary"`, "WINDOW": "1m", "STABLE_DEPLOYMENT": "api",
			"CANARY_DEPLOYMENT": "api-canary", "CANARY_IMAGE": canaryImage,
			"KUBERNETES_SERVICE_HOST": server.Hostname(), "KUBERNETES_SERVICE_PORT": server.Port(),
			"TERMINATION_MESSAGE_PATH": message,
		},
		message: message, account: account, patched: patched,
	}
}

// scaled is a change of how many pods the canary has, led one of the version that its share of the traffic goes to.
func scaled(replicas int) string {
	return fmt.Sprintf(`api-canary {"metadata":{"resourceVersion":"7"},"spec":{"replicas":%d}}`, replicas)
}

func led(version string) string {
	return fmt.Sprintf(`services/api-canary {"spec":{"selector":{"app.kubernetes.io/name":%q}}}`, version)
}

// wantChanges checks what the judge has changed, in this order.
func (j trial) wantChanges(t *testing.T, want ...string) {
	t.Helper()
	for _, change := range want {
		if got := <-j.patched; got != change {
			t.Errorf("changed %s, want %s", got, change)
		}
	}
	if len(j.patched) > 0 {
		t.Errorf("changed %s, too", <-j.patched)
	}
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
	trial := judged(t, http.StatusOK)
	settings, err := config.ReadJudge(lookup(trial.variables))
	if err != nil {
		t.Fatal(err)
	}
	api, err := kube.NewClient(settings.APIServer, trial.account)
	if err != nil {
		t.Fatal(err)
	}
	settings.Window = 8 * testenv.ScrapeInterval
	var stdout, stderr buffer
	p := process{lookup(trial.variables), &stdout, &stderr}
	if code := p.exit(p.pass(t.Context(), settings, api, testenv.ScrapeInterval)); code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, stderr.String())
	}
	message := read(t, trial.message)
	if got := stdout.String(); !strings.HasPrefix(got, "the canary is good\nMEASURE ") || got != message+"\n" {
		t.Errorf("stdout:\n%stermination message:\n%s", got, message)
	}
	lines := stderr.lines(t)
	verdict, _ := lines[len(lines)-1]["verdict"].(map[string]any)
	measure, _ := verdict["error_ratio"].(map[string]any)
	if verdict["ok"] != true || measure["result"] != "ok" || measure["canary"] != 0.0 || len(lines) < 3 {
		t.Errorf("log:\n%s", stderr.String())
	}
	trial.wantChanges(t, scaled(1), led("api-canary"))
}

// TestJudgeRefuses has a canary whose requests all fail, which needs no minute to be seen.
func TestJudgeRefuses(t *testing.T) {
	t.Parallel()
	trial := judged(t, http.StatusBadGateway)
	var stdout, stderr buffer
	p := process{lookup(trial.variables), &stdout, &stderr}
	code := p.exit(p.judge(t.Context(), trial.account, testenv.ScrapeInterval))
	if code != exitFailure || stdout.String() != "" {
		t.Errorf("exit code %d, stdout:\n%s", code, stdout.String())
	}
	const want = "the canary is refused: error ratio of 100.00% is above the limit of 1.00%"
	message := read(t, trial.message)
	if !strings.HasPrefix(message, want) || !strings.Contains(stderr.String(), "\nagentd: "+want) ||
		!strings.HasSuffix(message, "\nits pods are taken away, all traffic goes to the stable version") ||
		!strings.Contains(stderr.String(), `"msg":"judged","verdict":{"ok":false`) {
		t.Errorf("termination message:\n%s\nlog:\n%s", message, stderr.String())
	}
	trial.wantChanges(t, scaled(1), led("api-canary"), led("api"), scaled(0))
}

// TestJudgeHasNothingToJudge needs no Prometheus, which a new stack does not have yet.
func TestJudgeHasNothingToJudge(t *testing.T) {
	t.Parallel()
	trial := newTrial(t, canaryImage)
	var stdout, stderr buffer
	p := process{lookup(trial.variables), &stdout, &stderr}
	code := p.exit(p.judge(t.Context(), trial.account, time.Second))
	const want = "nothing to judge: the stable version has this image already"
	if code != exitOK || stdout.String() != want+"\n" || read(t, trial.message) != want {
		t.Errorf("exit code %d, stdout:\n%s\nlog:\n%s", code, stdout.String(), stderr.String())
	}
	trial.wantChanges(t, scaled(1))
}

func TestJudgeIsStopped(t *testing.T) {
	t.Parallel()
	trial := judged(t, http.StatusOK)
	var output buffer
	ctx, terminate := context.WithCancel(t.Context())
	defer terminate()
	exit := make(chan int, 1)
	p := process{lookup(trial.variables), &output, &output}
	go func() { exit <- p.exit(p.judge(ctx, trial.account, time.Minute)) }()
	eventually(t, "the judge looks", func() bool { return strings.Contains(output.String(), `"msg":"judging"`) })
	terminate()
	code, message := <-exit, read(t, trial.message)
	if code != exitFailure || !strings.Contains(message, "the canary is not judged\n") {
		t.Errorf("exit code %d: %s\n%s", code, message, output.String())
	}
	trial.wantChanges(t, scaled(1), led("api-canary"), led("api"), scaled(0))
}

func TestJudgeConfigurationErrors(t *testing.T) {
	t.Parallel()
	message := filepath.Join(t.TempDir(), "termination-log")
	variables := map[string]string{
		"TERMINATION_MESSAGE_PATH": message, "WINDOW": "30s", "MIN_REQUESTS": "0", "MAX_ERROR_RATIO": "2",
		"MAX_LATENCY_RATIO": "1.2x", "CANARY_SELECTOR": `pod="a"} or vector(1) #`, "LOG_LEVEL": "loud",
		"PROMETHEUS_URL": "http://judge:" + testenv.Secret + "@prometheus", "CANARY_REPLICAS": "-1",
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
			"MAX_LATENCY_RATIO", "LOG_LEVEL", "STABLE_DEPLOYMENT", "CANARY_DEPLOYMENT", "CANARY_IMAGE",
			"CANARY_REPLICAS", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT",
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
