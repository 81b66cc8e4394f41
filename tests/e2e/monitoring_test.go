//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"agentstack/tests/cloud"
)

const (
	monitoring = "monitoring"
	// alertTimeout covers two scrapes, the minute for which the alert's condition must hold, and the time for which
	// Alertmanager gathers a group.
	alertTimeout = 5 * time.Minute
)

// jobs are the scrape jobs that must have targets.
var jobs = []string{
	"ai-agent-api", "alertmanager", "kube-state-metrics", "kubelet-cadvisor", "loki", "node-exporter",
	"opentelemetry-collector", "postgres", "prometheus", "redis",
}

// get asks a Service of the monitoring cloud.Namespace and decodes its answer.
func get(service string, port int, path string, query url.Values, into any) error {
	address, err := cloud.ServiceAddress(monitoring, service)
	if err != nil {
		return err
	}
	location := fmt.Sprintf("http://%s:%d%s?%s", address, port, path, query.Encode())
	client := http.Client{Timeout: requestTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(location)
	if err != nil {
		return fmt.Errorf("ask %s: %w", service, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read answer of %s: %w", service, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s: %s: %s", service, path, resp.Status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("decode answer of %s: %w", service, err)
	}
	return nil
}

func targetsUp(t *testing.T) {
	cloud.Eventually(t, cloud.SettleTimeout, "every target is up", func() error {
		var answer struct {
			Data struct {
				ActiveTargets []struct {
					Labels                       map[string]string
					ScrapeURL, Health, LastError string
				}
			}
		}
		if err := get("prometheus", 9090, "/api/v1/targets", url.Values{"state": {"active"}}, &answer); err != nil {
			return err
		}
		var problems []error
		count := map[string]int{}
		for _, target := range answer.Data.ActiveTargets {
			count[target.Labels["job"]]++
			if target.Health != "up" {
				problems = append(problems, fmt.Errorf("%s %s is %s: %s",
					target.Labels["job"], target.ScrapeURL, target.Health, target.LastError))
			}
		}
		for _, job := range jobs {
			if count[job] == 0 {
				problems = append(problems, fmt.Errorf("job %s has no target among %v", job, count))
			}
		}
		for job, want := range map[string]int{
			"ai-agent-api": 3, "postgres": 3, "pgbouncer": 4, "redis": 6, "envoy": 2, "node-exporter": 3, "kubelet": 3,
		} {
			if count[job] != want {
				problems = append(problems, fmt.Errorf("job %s has %d targets, not %d", job, count[job], want))
			}
		}
		return errors.Join(problems...)
	})
}

// panelsAnswer executes the query of each panel. What counts requests has had some by now.
func panelsAnswer(t *testing.T) {
	answers(t)
	_, _, err := api.Call(http.MethodPost, "/v1/chat/completions", api.Key, map[string]any{
		"model": "mock", "stream": true, "messages": []map[string]string{{"role": "user", "content": t.Name()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for title, expressions := range panels(t) {
		for _, expression := range expressions {
			cloud.Eventually(t, cloud.SettleTimeout, "the panel "+title+" has data", func() error {
				var answer struct{ Data struct{ Result []any } }
				err := get("prometheus", 9090, "/api/v1/query", url.Values{"query": {expression}}, &answer)
				if err == nil && len(answer.Data.Result) == 0 {
					err = fmt.Errorf("no data for %s", expression)
				}
				return err
			})
		}
	}
}

func panels(t *testing.T) map[string][]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "components", "monitoring", "dashboards", "overview.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			found[panel.Title] = append(found[panel.Title], target.Expr)
		}
	}
	if len(found) < 6 {
		t.Fatalf("only %d panels", len(found))
	}
	return found
}

// webhook takes what Alertmanager sends, on an address of the host that pods reach.
type webhook struct {
	url string

	mu       sync.Mutex
	received []alert
}

type alert struct {
	Status string
	Labels map[string]string
}

func (w *webhook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var message struct{ Alerts []alert }
	if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.received = append(w.received, message.Alerts...)
}

func (w *webhook) has(status, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.received {
		if a.Status == status && a.Labels["alertname"] == name {
			return nil
		}
	}
	return fmt.Errorf("%s %s is not among %v", name, status, w.received)
}

// receiver is where the deployed Alertmanager sends its alerts.
var receiver *webhook

// configureWebhook gives the stack the secret URL of a webhook that this test serves until it ends.
func configureWebhook(t *testing.T) {
	t.Helper()
	address, err := cloud.HostAddress()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	receiver = &webhook{url: "http://" + listener.Addr().String() + "/alerts"}
	server := &http.Server{Handler: receiver, ReadHeaderTimeout: requestTimeout}
	go func() { _ = server.Serve(listener) }()
	cloud.Command(t, "pulumi", "config", "set", "--secret", "agentstack:alertWebhookUrl", receiver.url,
		"--stack", "local")
}

// alertFires makes one Redis node hang, and lets it go on again.
func alertFires(t *testing.T) {
	const name = "RedisDown"
	n := cloud.AtRest(t)
	followers, err := cloud.Pods("statefulset.kubernetes.io/pod-name=ai-agent-redis-follower-0")
	if err != nil || len(followers) != 1 {
		t.Fatalf("%d pods, %v", len(followers), err)
	}
	server, err := followers[0].Process("redis-server")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(server, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	cloud.Eventually(t, alertTimeout, "the webhook hears of the alert", func() error {
		return receiver.has("firing", name)
	})
	// By now the kubelet may have restarted it, which is as good.
	if err := syscall.Kill(server, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
	cloud.Eventually(t, alertTimeout, "the webhook hears of its end", func() error {
		return receiver.has("resolved", name)
	})
	cloud.Settled(t, n)
}

// logsFound looks a request up by its id.
func logsFound(t *testing.T) {
	id := answers(t)
	cloud.Eventually(t, cloud.HealTimeout, "the request's log line is in Loki", func() error {
		var answer struct {
			Data struct {
				Result []struct {
					Stream map[string]string
					Values [][]any
				}
			}
		}
		query := url.Values{"query": {`{k8s_namespace_name="ai-agent", k8s_container_name="api"} |= "` + id + `"`}}
		if err := get("loki", 3100, "/loki/api/v1/query_range", query, &answer); err != nil {
			return err
		}
		for _, stream := range answer.Data.Result {
			for _, line := range stream.Values {
				if len(line) > 1 && strings.Contains(fmt.Sprint(line[1]), id) {
					return nil
				}
			}
		}
		return fmt.Errorf("no line of request %s", id)
	})
}
