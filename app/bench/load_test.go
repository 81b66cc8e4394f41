//go:build bench

package bench

import (
	"bufio"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const (
	// connections send requests at once to find the saturation rate.
	connections = 32
	// warmUp is left out of each measurement.
	warmUp = time.Second
	// period is how long a measurement takes.
	period = 4 * time.Second
)

const (
	messages = `"messages":[{"role":"user","content":"What is the weather in Berlin today?"}]}`
	question = `{"model":"mock",` + messages
	streamed = `{"model":"mock","stream":true,` + messages
	hanging  = `{"model":"mock-hang","stream":true,"messages":[{"role":"user","content":"Wait."}]}`
)

// target is a server under load.
type target struct {
	name, url, key string
}

func (g target) header() http.Header {
	return http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + g.key}}
}

// attack sends the question at a rate, or as fast as answers come when the rate is 0.
func (g target) attack(t *testing.T, rate int, duration time.Duration) vegeta.Metrics {
	t.Helper()
	targeter := vegeta.NewStaticTargeter(vegeta.Target{
		Method: http.MethodPost, URL: g.url + "/v1/chat/completions", Body: []byte(question), Header: g.header(),
	})
	options := []func(*vegeta.Attacker){
		vegeta.Workers(connections), vegeta.Connections(1000), vegeta.KeepAlive(true), vegeta.HTTP2(false),
	}
	if rate == 0 {
		options = append(options, vegeta.MaxWorkers(connections))
	}
	attacker := vegeta.NewAttacker(options...)
	var metrics vegeta.Metrics
	pacer := vegeta.Rate{Freq: rate, Per: time.Second}
	for result := range attacker.Attack(targeter, pacer, duration, g.name) {
		metrics.Add(result)
	}
	metrics.Close()
	if metrics.Success < 1 {
		t.Fatalf("%s: %.2f %% of the answers are good: %v", g.name, 100*metrics.Success, metrics.Errors)
	}
	return metrics
}

// saturation returns the requests per second that the target can answer.
func (g target) saturation(t *testing.T) float64 {
	t.Helper()
	g.attack(t, 0, warmUp)
	return g.attack(t, 0, period).Throughput
}

// p99 returns the 99th percentile of the latency at a rate.
func (g target) p99(t *testing.T, rate int) time.Duration {
	t.Helper()
	g.attack(t, rate, warmUp)
	return g.attack(t, rate, period).Latencies.P99
}

// firstToken returns the median time to the first piece of a streamed answer, of requests one after another.
func (g target) firstToken(t *testing.T, requests int) time.Duration {
	t.Helper()
	var times []time.Duration
	for range requests {
		began := time.Now()
		response := g.open(t, streamed)
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "data:") {
				times = append(times, time.Since(began))
				break
			}
		}
		for lines.Scan() { // to the end, so that the connection is used again
		}
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(times) != requests {
		t.Fatalf("%s: %d of %d streams began", g.name, len(times), requests)
	}
	return median(times)
}

func (g target) open(t *testing.T, body string) *http.Response {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, g.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = g.header()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d", g.name, response.StatusCode)
	}
	return response
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2000}}

func median[T ~int64 | ~float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
