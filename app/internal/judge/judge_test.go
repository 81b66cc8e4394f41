package judge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"agentstack/app/internal/testenv"
	"agentstack/app/telemetry"
)

const (
	interval = testenv.ScrapeInterval
	// window has enough scrapes that a busy machine may miss some.
	window = 8 * interval
	// patience is for what happens within seconds, unless the machine is busy.
	patience = 3 * time.Minute
)

func newJudge(server *testenv.Prometheus, log io.Writer) *Judge {
	return &Judge{
		PrometheusURL: server.URL(), Stable: `namespace="test",pod=~"stable-.*"`, Canary: `pod="canary"`,
		Window: window, Interval: interval, Log: slog.New(slog.NewJSONHandler(log, nil)),
		Limits: Limits{MinRequests: 50, ErrorRatio: 0.01, LatencyRatio: 1.25},
	}
}

// run starts pods and a Prometheus that scrapes them, and lets requests come.
func run(t *testing.T, behaviours map[string]behaviour) (*testenv.Prometheus, map[string]*pod) {
	t.Helper()
	pods, addrs := map[string]*pod{}, map[string]string{}
	for name := range behaviours {
		pods[name] = newPod(t)
		addrs[name] = pods[name].server.Listener.Addr().String()
	}
	server := testenv.NewPrometheus(t, addrs)
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	for name, b := range behaviours {
		serving.Go(func() { pods[name].serve(ctx, t, b) })
	}
	t.Cleanup(func() { stop(); serving.Wait() })
	return server, pods
}

// TestVerdicts judges many canaries of one Prometheus at once.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		behaviour
		during func(*pod) // after a quarter of the window
		want   []string   // in the problems; none: the canary is good
	}{
		"good":       {behaviour: healthy},
		"no-streams": {behaviour: behaviour{duration: healthy.duration}},
		"errors": {
			behaviour: behaviour{duration: healthy.duration, firstToken: healthy.firstToken, status: func(i int) int {
				return map[bool]int{true: 502, false: 200}[i%10 == 0]
			}},
			want: []string{"error ratio of ", "% is above the limit of 1.00%"},
		},
		// Prometheus first sees the counter of 503 when it does not grow any more.
		"burst": {
			behaviour: healthy,
			during: func(p *pod) {
				for range 40 {
					p.metrics.ObserveRequest(telemetry.Request{Method: "GET", Endpoint: "/v1/models", Status: 503})
				}
			},
			want: []string{"error ratio of "},
		},
		"slow": {
			behaviour: behaviour{duration: 400 * time.Millisecond, firstToken: healthy.firstToken},
			want:      []string{"p95 of requests of 0.4", "s is above the limit of 0.09"},
		},
		"slow-token": {
			behaviour: behaviour{duration: healthy.duration, firstToken: 11 * time.Second},
			want:      []string{"p95 to first token of ", "s is above the limit of "},
		},
		"few":  {behaviour: behaviour{every: 40}, want: []string{"cannot judge: the canary got", "50 are needed"}},
		"idle": {behaviour: behaviour{every: -1}, want: []string{"cannot judge: the canary got no traffic"}},
		"restarted": {
			behaviour: healthy, during: func(p *pod) { p.restarted.Store(true) },
			want: []string{"the canary restarted: restarted"},
		},
		"gone": {
			behaviour: healthy, during: func(p *pod) { p.server.Close() },
			want: []string{"the canary does not answer Prometheus: gone"},
		},
	}
	behaviours := map[string]behaviour{"stable-1": healthy, "stable-2": healthy}
	behaviours["stable-1"] = behaviour{duration: healthy.duration, firstToken: healthy.firstToken, sockets: true}
	for name, test := range tests {
		behaviours[name] = test.behaviour
	}
	server, pods := run(t, behaviours)
	// All of them have the same window, so that the test takes one.
	verdicts := map[string]chan Verdict{}
	for name, test := range tests {
		if test.during != nil {
			time.AfterFunc(window/4, func() { test.during(pods[name]) })
		}
		j := newJudge(server, io.Discard)
		j.Canary = fmt.Sprintf("pod=%q", name)
		given := make(chan Verdict, 1)
		verdicts[name] = given
		go func() {
			verdict, err := j.Run(t.Context())
			if err != nil {
				t.Error(err)
			}
			given <- verdict
		}()
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			verdict := <-verdicts[name]
			problems := strings.Join(verdict.Problems, "\n")
			for _, text := range test.want {
				if !strings.Contains(problems, text) {
					t.Errorf("%q is not in the problems", text)
				}
			}
			if verdict.OK() != (len(test.want) == 0) {
				t.Errorf("good: %t", verdict.OK())
			}
			t.Logf("\n%s", verdict)
		})
	}
	t.Run("no such pods", func(t *testing.T) {
		j := newJudge(server, io.Discard)
		j.Window, j.Canary = interval, `pod="other"`
		verdict, err := j.Run(t.Context())
		if err != nil || !strings.Contains(verdict.String(), "Prometheus has no such metric as ai_agent_info") {
			t.Errorf("error %v\n%s", err, verdict)
		}
	})
	t.Run("the same pods", func(t *testing.T) {
		j := newJudge(server, io.Discard)
		j.Canary = `namespace="test"`
		_, err := j.Run(t.Context())
		if err == nil || !strings.HasSuffix(err.Error(), "both select stable-1, stable-2") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no selector", func(t *testing.T) {
		j := newJudge(server, io.Discard)
		j.Canary = `pod=~"("`
		_, err := j.Run(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "cannot judge: prometheus refuses a query: ") {
			t.Errorf("error %v", err)
		}
	})
}

// TestBadFromTheStart gives up before the window ends.
func TestBadFromTheStart(t *testing.T) {
	t.Parallel()
	server, _ := run(t, map[string]behaviour{"stable-1": healthy, "canary": failing})
	j := newJudge(server, io.Discard)
	j.Window = time.Hour
	j.Limits.ErrorRatio = 0.0001
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	verdict, err := j.Run(ctx)
	if err != nil || verdict.OK() || verdict.canary.requests.All < 50 {
		t.Errorf("error %v\n%s", err, verdict)
	}
}

// TestPrometheusIsBack judges while Prometheus is away. It is back before the window ends, whenever that is.
func TestPrometheusIsBack(t *testing.T) {
	t.Parallel()
	server, _ := run(t, map[string]behaviour{"stable-1": healthy, "canary": failing})
	server.Stop()
	log, lines := io.Pipe()
	j := newJudge(server, lines)
	j.Window = time.Hour
	j.Limits.ErrorRatio = 0.0001
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	away := make(chan struct{})
	go func() {
		noticed := sync.OnceFunc(func() { close(away) })
		for scanner := bufio.NewScanner(log); scanner.Scan(); {
			if strings.Contains(scanner.Text(), `"no measures, trying again","error":"ask Prometheus: `) {
				noticed()
			}
		}
	}()
	given := make(chan error, 1)
	go func() {
		verdict, err := j.Run(ctx)
		if err == nil && !strings.Contains(verdict.String(), "the canary is refused: error ratio of 100.00%") {
			err = errors.New(verdict.String())
		}
		given <- err
	}()
	select {
	case <-away:
		server.Start(t)
	case <-ctx.Done():
		t.Error("the log does not say that Prometheus is away")
	}
	if err := <-given; err != nil {
		t.Error(err)
	}
}

func TestNoPrometheus(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	for url, want := range map[string]string{
		"http://127.0.0.1:1": "connection refused", // no other test is ever given this port
		other.URL:            "404 Not Found at " + other.URL,
	} {
		j := Judge{
			PrometheusURL: url, Window: 2 * interval, Interval: interval / 10, Log: slog.New(slog.DiscardHandler),
		}
		started := time.Now()
		_, err := j.Run(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "cannot judge: ask Prometheus: ") ||
			!strings.Contains(err.Error(), want) || time.Since(started) < j.Window+grace*j.Interval {
			t.Errorf("error %v after %s", err, time.Since(started))
		}
	}
}

func TestStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), interval/10)
	defer cancel()
	j := Judge{Window: time.Hour, Interval: time.Minute, Log: slog.New(slog.DiscardHandler)}
	_, err := j.Run(ctx)
	if err == nil || !strings.HasSuffix(err.Error(), "of the window of 1h0m0s: the canary is not judged") {
		t.Errorf("error %v", err)
	}
}
