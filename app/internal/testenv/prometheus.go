package testenv

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// ScrapeInterval is the time between two scrapes of a Prometheus, and what a scrape may take, which is long on a busy
// machine.
const ScrapeInterval = 3 * time.Second

// discoveryInterval is short: a Prometheus scrapes nothing until it has read its targets for the first time.
const discoveryInterval = 100 * time.Millisecond

// Prometheus is a server for one test.
type Prometheus struct {
	program, dir, addr string
	server             *process
}

// NewPrometheus starts a server that scrapes pods: the addresses of their metrics by their names, which the label pod
// has. It has read each of them once.
func NewPrometheus(t testing.TB, pods map[string]string) *Prometheus {
	t.Helper()
	program := filepath.Join(os.Getenv("AGENTSTACK_TOOLS"), "prometheus")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("prometheus is not in the folder that AGENTSTACK_TOOLS names: run make deps: %v", err)
	}
	p := &Prometheus{program: program, dir: directory(t), addr: net.JoinHostPort("127.0.0.1", freePorts(t, 1)[0])}
	var config strings.Builder
	fmt.Fprintf(&config, "global: {scrape_interval: %s, scrape_timeout: %[1]s}\n", ScrapeInterval)
	fmt.Fprint(&config, "scrape_configs:\n  - job_name: pods\n    static_configs:\n")
	for name, addr := range pods {
		fmt.Fprintf(&config, "      - {targets: [%q], labels: {namespace: test, pod: %q}}\n", addr, name)
	}
	// The server runs as another user.
	if err := os.WriteFile(filepath.Join(p.dir, "prometheus.yml"), []byte(config.String()), 0o644); err != nil {
		t.Fatalf("write configuration: %v", err)
	}
	p.Start(t)
	p.server.wait(t, func() error {
		_, body, err := p.get("/api/v1/query?query=count(up==1)")
		if scraped := gjson.Get(body, "data.result.0.value.1").Int(); err == nil && scraped < int64(len(pods)) {
			return fmt.Errorf("%d of %d pods are scraped", scraped, len(pods))
		}
		return err
	})
	return p
}

// Start starts the server, which keeps what it had, and waits until it answers queries.
func (p *Prometheus) Start(t testing.TB) {
	t.Helper()
	p.server = startProcess(t, p.dir, p.program, "--config.file=prometheus.yml", "--storage.tsdb.path=data",
		"--web.listen-address="+p.addr, "--log.level=warn",
		"--scrape.discovery-reload-interval="+discoveryInterval.String())
	p.server.wait(t, func() error {
		status, _, err := p.get("/-/ready")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("not ready: status %d", status)
		}
		return err
	})
}

func (p *Prometheus) get(path string) (status int, body string, err error) {
	response, err := http.Get(p.URL() + path)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// URL returns the address of the API.
func (p *Prometheus) URL() string { return "http://" + p.addr }

// Stop ends the server.
func (p *Prometheus) Stop() { p.server.stop(syscall.SIGTERM) }
