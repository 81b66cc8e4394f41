//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"agentstack/tests/cloud"
)

const (
	// leastPods are those of Pulumi.local.yaml.
	leastPods = 3
	// shrinkTimeout has room for the five minutes that the autoscaler waits, and a minute for each pod.
	shrinkTimeout = 15 * time.Minute
)

// clients ask the API one question after the other until they are stopped.
type clients struct {
	stop     chan struct{}
	running  sync.WaitGroup
	answered atomic.Int64
	mu       sync.Mutex
	failures []error
}

func startClients(number int, pause time.Duration, ask func(*cloud.API, string) error) *clients {
	c := &clients{stop: make(chan struct{})}
	patient := *api
	patient.Timeout = time.Minute
	for i := range number {
		c.running.Go(func() {
			c.run(pause, func(question int) error {
				return ask(&patient, fmt.Sprintf("question %d of client %d", question, i))
			})
		})
	}
	return c
}

// chat asks the model.
func chat(api *cloud.API, question string) error {
	_, err := api.Chat(question)
	return err
}

// listing is cheap for everything but the API, so that a small machine can load that: no model is asked, and
// connections are kept.
func listing(connections int) func(*cloud.API, string) error {
	transport := api.Edge.Transport()
	transport.DisableKeepAlives, transport.MaxIdleConnsPerHost = false, connections
	return func(api *cloud.API, _ string) error {
		keeping := *api
		keeping.Transport = transport
		_, _, err := keeping.Call(http.MethodGet, "/v1/models", api.Key, nil)
		return err
	}
}

func (c *clients) run(pause time.Duration, ask func(question int) error) {
	for question := 0; ; question++ {
		if err := ask(question); err != nil {
			c.mu.Lock()
			c.failures = append(c.failures, fmt.Errorf("%s: %w", time.Now().Format(time.TimeOnly), err))
			c.mu.Unlock()
		} else {
			c.answered.Add(1)
		}
		select {
		case <-c.stop:
			return
		case <-time.After(pause):
		}
	}
}

// finish stops the clients. None of their requests may have failed.
func (c *clients) finish(t *testing.T) {
	t.Helper()
	close(c.stop)
	c.running.Wait()
	t.Logf("%d requests answered, %d failed", c.answered.Load(), len(c.failures))
	if c.answered.Load() == 0 {
		t.Error("nobody was answered")
	}
	if len(c.failures) > 0 {
		t.Error(errors.Join(c.failures[:min(5, len(c.failures))]...))
	}
}

// guests are there from the load until the pods that it brought have gone.
var guests *clients

// scaledUp asks for more than the API's least pods are meant to carry, which is 300 requests a second, and for less
// than 500: the cluster needs the room of a sixth pod for other parts.
func scaledUp(t *testing.T) {
	metricsAnswer(t)
	guests = startClients(1, 200*time.Millisecond, chat)
	const number = 24
	load := startClients(number, 45*time.Millisecond, listing(number))
	defer load.finish(t)
	took, err := cloud.Within(cloud.HealTimeout, "more pods are ready", func() error {
		if pods := readyAPIPods(t); pods <= leastPods {
			return fmt.Errorf("%d pods", pods)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, cloud.Kubectl(t, "describe", "hpa", "ai-agent-api"))
	}
	t.Logf("the load brought another pod after %s", took.Round(time.Second))
}

// metricsAnswer asks the two APIs that the autoscaler asks.
func metricsAnswer(t *testing.T) {
	cloud.Eventually(t, cloud.HealTimeout, "the use of each pod is known", func() error {
		output, err := cloud.Try("kubectl", "-n", cloud.Namespace, "top", "pods", "--no-headers")
		if err == nil && strings.Count(output, "ai-agent-api-") < leastPods {
			err = fmt.Errorf("of the API, only those pods:\n%s", output)
		}
		return err
	})
	cloud.Eventually(t, cloud.HealTimeout, "the requests of each pod are known", func() error {
		output, err := cloud.Try("kubectl", "get", "--raw",
			"/apis/custom.metrics.k8s.io/v1beta1/namespaces/ai-agent/pods/*/ai_agent_requests_per_second")
		if err != nil {
			return err
		}
		var list struct{ Items []json.RawMessage }
		if err := json.Unmarshal([]byte(output), &list); err != nil {
			return fmt.Errorf("decode %s: %w", output, err)
		}
		if len(list.Items) < leastPods {
			return fmt.Errorf("%d values in %s", len(list.Items), output)
		}
		return nil
	})
}

func readyAPIPods(t *testing.T) int {
	t.Helper()
	pods, err := cloud.Pods("app.kubernetes.io/name=ai-agent-api")
	if err != nil {
		t.Fatal(err)
	}
	return cloud.ReadyCount(pods)
}

// scaledBack waits until the load is forgotten. Nobody notices the pods that go.
func scaledBack(t *testing.T) {
	cloud.Eventually(t, shrinkTimeout, "the least pods are left", func() error {
		if pods := readyAPIPods(t); pods != leastPods {
			return fmt.Errorf("%d pods", pods)
		}
		return nil
	})
	guests.finish(t)
}
