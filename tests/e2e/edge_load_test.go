//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"agentstack/tests/cloud"
)

// edgeRate and edgeBurst are the default limits, in requests a second and at once.
const edgeRate, edgeBurst = 100, 200

// rateLimited asks for what does not exist as fast as it can. The limit of the local stack has room for all of these
// tests, so that it is another one for the time of this.
func rateLimited(t *testing.T) {
	file := cloud.ChangedConfig(t, "edge", func(edge map[string]any) { delete(edge, "rateLimit") })
	cloud.Pulumi(t, "up", "--yes", "--skip-preview", "--config-file", file)
	t.Cleanup(func() { cloud.Pulumi(t, "up", "--yes", "--skip-preview") })
	calm, _ := ask(t, http.MethodGet, secure+"/v1/nothing")
	wantHeaders(t, calm, map[string]string{"X-RateLimit-Limit": strconv.Itoa(edgeBurst)})

	const duration, workers = 3 * time.Second, 32
	var sent, refused atomic.Int64
	var mutex sync.Mutex
	var others, without []string
	transport := api.Edge.Transport()
	transport.DisableKeepAlives, transport.MaxIdleConnsPerHost = false, workers
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: requestTimeout}
	began := time.Now()
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for time.Since(began) < duration {
				answer, err := client.Get(secure + "/v1/nothing")
				sent.Add(1)
				if err == nil {
					_, err = io.Copy(io.Discard, answer.Body)
					_ = answer.Body.Close()
				}
				mutex.Lock()
				switch {
				case err != nil:
					others = append(others, err.Error())
				case answer.StatusCode == http.StatusTooManyRequests:
					refused.Add(1)
					if answer.Header.Get("Retry-After") != "1" {
						without = append(without, fmt.Sprint(answer.Header))
					}
				case answer.StatusCode != calm.StatusCode:
					others = append(others, answer.Status)
				}
				mutex.Unlock()
			}
		})
	}
	all.Wait()
	passed, took := sent.Load()-refused.Load(), time.Since(began)
	t.Logf("%d requests in %s, %d of them refused", sent.Load(), took.Round(time.Millisecond), refused.Load())
	// A second more than it took: buckets are filled in steps.
	if most := int64(edgeBurst + edgeRate*(took+time.Second).Seconds()); passed > most {
		t.Errorf("%d requests passed, and the limit lets through %d", passed, most)
	}
	if refused.Load() == 0 {
		t.Error("none was refused")
	}
	if len(others)+len(without) > 0 {
		t.Errorf("neither the usual answer nor 429: %q; 429 without Retry-After: %q",
			slices.Compact(others[:min(len(others), 5)]), without[:min(len(without), 1)])
	}
}

// envoyDeleted takes one Envoy after the other away, so that the one that all clients of this machine are sent to is
// among them. The clients make a connection for each request and try nothing again. A client that keeps its connection
// may see it closed between two requests, with GOAWAY or Connection: close before.
func envoyDeleted(t *testing.T) {
	pods := strings.Fields(cloud.Command(t, "kubectl", "-n", cloud.EdgeNamespace, "get", "pods", "-l", envoys,
		"-o", "jsonpath={.items[*].metadata.name}"))
	if len(pods) != 2 {
		t.Fatalf("not two Envoys: %v", pods)
	}
	load := startClients(4, 50*time.Millisecond, chat)
	defer load.finish(t)
	for _, pod := range pods {
		began := time.Now()
		cloud.Command(t, "kubectl", "-n", cloud.EdgeNamespace, "delete", "pod", pod)
		cloud.Command(t, "kubectl", "-n", cloud.EdgeNamespace, "rollout", "status", "deployment/ai-agent-edge",
			"--timeout=4m")
		t.Logf("%s is gone and replaced after %s", pod, time.Since(began).Round(time.Second))
	}
}
