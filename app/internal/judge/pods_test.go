package judge

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"agentstack/app/agent"
	"agentstack/app/telemetry"
)

// pace is the time between two requests to a pod.
const pace = 50 * time.Millisecond

// behaviour is what a pod does from the start of its test on. Before, it is good.
type behaviour struct {
	status     func(request int) int // nil: 200
	duration   time.Duration
	firstToken time.Duration // zero: no streams
	sockets    bool          // WebSockets end, too
	every      int           // one request of so many comes; zero: all, negative: none
}

func (b behaviour) answer(request int) int {
	if b.status == nil {
		return http.StatusOK
	}
	return b.status(request)
}

// pod has the application's real metrics.
type pod struct {
	metrics   *telemetry.Metrics
	server    *httptest.Server
	restarted atomic.Bool
}

func newPod(t *testing.T) *pod {
	t.Helper()
	p := &pod{metrics: telemetry.New("v", "test")}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

var startTime = regexp.MustCompile(`(?m)^process_start_time_seconds .*$`)

// ServeHTTP serves the metrics. All pods of a test are one process, so a restart is the one thing that is made up.
func (p *pod) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Header.Del("Accept-Encoding") // as text
	recorder := httptest.NewRecorder()
	p.metrics.Handler().ServeHTTP(recorder, r)
	body := recorder.Body.Bytes()
	if p.restarted.Load() {
		body = startTime.ReplaceAll(body, []byte("process_start_time_seconds 1e9"))
	}
	w.Header()["Content-Type"] = recorder.Header()["Content-Type"]
	_, _ = w.Write(body) // or the scrape fails, as it would
}

// streams is a model server whose streams begin after a time.
type streams struct {
	telemetry.Provider
	firstToken time.Duration
	end        <-chan struct{} // of the test
}

func (s streams) Stream(context.Context, *agent.ChatRequest) (agent.Stream, error) { return s, nil }

func (s streams) Next() (agent.Chunk, error) {
	select {
	case <-time.After(s.firstToken):
	case <-s.end:
	}
	return agent.Chunk{}, nil
}

func (s streams) Close() error { return nil }

// serve lets requests come until ctx ends. As many come on a busy machine, late.
func (p *pod) serve(ctx context.Context, t *testing.T, b behaviour) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	var open sync.WaitGroup
	defer open.Wait()
	free := func(string) telemetry.Price { return telemetry.Price{} }
	model := p.metrics.Provider(streams{firstToken: b.firstToken, end: ctx.Done()}, free)
	probe := telemetry.Request{Method: "GET", Endpoint: "/ready", Status: 503, Duration: time.Minute}
	socket := telemetry.Request{Method: "GET", Endpoint: "/ws", Status: 101, Duration: time.Minute}
	request := telemetry.Request{Method: "POST", Endpoint: "/v1/chat/completions", Duration: b.duration}
	started := time.Now()
	for i := 0; ; i++ {
		for time.Since(started) < time.Duration(i)*pace {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
		// Failing probes do not count, and how long WebSockets last does not.
		p.metrics.ObserveRequest(probe)
		if b.sockets {
			p.metrics.ObserveRequest(socket)
		}
		if b.every < 0 || b.every > 0 && i%b.every != 0 {
			continue
		}
		request.Status = b.answer(i)
		p.metrics.ObserveRequest(request)
		if b.firstToken > 0 {
			open.Go(func() {
				stream, err := model.Stream(ctx, &agent.ChatRequest{Model: "gpt"})
				if err == nil {
					_, err = stream.Next()
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Durations are as given. The time to the first token passes, and is so long that what a busy machine adds makes no
// difference: it stays within a bucket, of 3 to 5 seconds.
var (
	healthy = behaviour{duration: 40 * time.Millisecond, firstToken: 3100 * time.Millisecond}
	failing = behaviour{duration: healthy.duration, status: func(int) int { return http.StatusInternalServerError }}
)
