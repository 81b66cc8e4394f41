package monitoring

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// record is a log record as Loki gets it.
type record struct {
	body, severity string
	attributes     map[string]string // those of the resource too
}

// lokiServer keeps what it is sent, by the body.
type lokiServer struct {
	mu      sync.Mutex
	records map[string]record
	count   int
}

func (s *lokiServer) all() (map[string]record, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.records), s.count
}

// otlp is the part of an export request in JSON that the test looks at.
type otlp struct {
	ResourceLogs []struct {
		Resource  struct{ Attributes []attribute }
		ScopeLogs []struct {
			LogRecords []struct {
				SeverityText string
				Body         struct{ StringValue string }
				Attributes   []attribute
			}
		}
	}
}

type attribute struct {
	Key   string
	Value struct{ StringValue string }
}

func (s *lokiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request otlp
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil || r.URL.Path != "/otlp/v1/logs" {
		http.Error(w, fmt.Sprintf("%s: %v", r.URL.Path, err), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range request.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, log := range scope.LogRecords {
				attributes := map[string]string{}
				for _, a := range append(resource.Resource.Attributes, log.Attributes...) {
					attributes[a.Key] = a.Value.StringValue
				}
				s.records[log.Body.StringValue] = record{log.Body.StringValue, log.SeverityText, attributes}
				s.count++
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, "{}")
}

// waitFor polls until the server has a record with that body.
func (s *lokiServer) waitFor(t *testing.T, body string) record {
	t.Helper()
	const limit = 60 * time.Second // a busy machine starts slowly
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if records, _ := s.all(); records[body].body != "" {
			return records[body]
		}
	}
	records, _ := s.all()
	t.Fatalf("no record %q after %s among %v", body, limit, records)
	return record{}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// startCollector runs the real collector with its configuration on other folders and ports, and returns how to stop it.
func startCollector(t *testing.T, logs, state, loki string) (stop func()) {
	t.Helper()
	config, err := collectorConfig(valid())
	if err != nil {
		t.Fatal(err)
	}
	dir := write(t, map[string]string{
		"collector.yaml": strings.NewReplacer(
			"/var/log/pods", logs, "/var/lib/opentelemetry-collector", state, valid().url(nameLoki, portLoki), loki,
			"port: 8888", fmt.Sprintf("port: %d", freePort(t)),
			"0.0.0.0:13133", fmt.Sprintf("127.0.0.1:%d", freePort(t)),
		).Replace(config),
		"json.yaml": "exporters: {otlp_http: {encoding: json, compression: none}}",
	})
	command := exec.Command(tool(t, "otelcol-contrib"),
		"--config="+filepath.Join(dir, "collector.yaml"), "--config="+filepath.Join(dir, "json.yaml"))
	command.Env = append(os.Environ(), "NODE_NAME=node-1")
	var output strings.Builder
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			if err := command.Process.Signal(syscall.SIGTERM); err != nil {
				t.Errorf("stop collector: %v", err)
			}
			if err := command.Wait(); err != nil {
				t.Errorf("collector: %v\n%s", err, output.String())
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// logLine appends a line to a container's log in the form of the container runtime, P for a part and F for the end.
func logLine(t *testing.T, logs, pod, tag, text string) {
	t.Helper()
	dir := filepath.Join(logs, pod+"_8ec20180-7493-4afc-80f0-2a9aa1772212", "main")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "0.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	now := time.Now().UTC().Format(time.RFC3339Nano)
	if _, err := fmt.Fprintf(file, "%s stdout %s %s\n", now, tag, text); err != nil {
		t.Fatal(err)
	}
}

func TestCollectorReadsWhatPodsLog(t *testing.T) {
	loki := &lokiServer{records: map[string]record{}}
	server := httptest.NewServer(loki)
	t.Cleanup(server.Close)
	logs, state := t.TempDir(), t.TempDir()
	request := `{"level":"WARN","msg":"request","request_id":"5QAP6X33","status":200}`
	logLine(t, logs, "monitoring_loki-0", "F", "loki's own")
	logLine(t, logs, "monitoring-node_opentelemetry-collector-x7k2p", "F", "the collector's own")
	logLine(t, logs, "ai-agent_ai-agent-api-1", "F", request)
	logLine(t, logs, "ai-agent_ai-agent-api-1", "F", "{no JSON")
	logLine(t, logs, "ai-agent_ai-agent-api-1", "P", "one line ")
	logLine(t, logs, "ai-agent_ai-agent-api-1", "F", "in two parts")

	stop := startCollector(t, logs, state, server.URL)
	got := loki.waitFor(t, request)
	for name, want := range map[string]string{
		"k8s.namespace.name": "ai-agent", "k8s.pod.name": "ai-agent-api-1", "k8s.container.name": "main",
		"k8s.node.name": "node-1", "cloud.region": "local-1", "request_id": "5QAP6X33",
	} {
		if got.attributes[name] != want {
			t.Errorf("%s = %q, want %q", name, got.attributes[name], want)
		}
	}
	if got.severity != "WARN" {
		t.Errorf("severity %q, want WARN", got.severity)
	}
	loki.waitFor(t, "{no JSON")
	loki.waitFor(t, "one line in two parts")
	stop()

	logLine(t, logs, "ai-agent_ai-agent-api-1", "F", "while no collector ran")
	startCollector(t, logs, state, server.URL)
	loki.waitFor(t, "while no collector ran")
	if records, count := loki.all(); count != 4 {
		t.Errorf("%d records, want four lines once, and none of Loki and the collector: %v", count, records)
	}
}
