package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"agentstack/local/cluster/topology"
	"agentstack/local/pulumi"
	"agentstack/local/toolchain"
)

const (
	answerTimeout  = 3 * time.Minute
	requestTimeout = 5 * time.Second
)

// prepare builds Pulumi and its plugins, and gives the instance its stack.
func (r *run) prepare() (pulumi.Workspace, error) {
	w, err := r.workspace(r.ctx, r.act.Instance)
	if err != nil {
		return w, err
	}
	if err := r.phase("toolchain of Pulumi", r.build(toolchain.Deploy)); err != nil {
		return w, err
	}
	return w, r.phase("Pulumi stack", func(func(string, ...any)) error { return w.Prepare(r.ctx) })
}

// deploy runs the program on the local cloud, and shows what to try next.
func (r *run) deploy(w pulumi.Workspace) error {
	log := r.act.Instance.Path("logs", "pulumi-up.log")
	err := r.phase("pulumi up", func(say func(string, ...any)) error { return w.Up(r.ctx, log, say) })
	if err != nil {
		return err
	}
	return r.next()
}

// next prints how to reach what now runs.
func (r *run) next() error {
	region := r.act.Instance.Regions()[0]
	address, err := serviceAddress(r, region)
	if err != nil {
		return err
	}
	err = r.phase("first answer", func(func(string, ...any)) error {
		return r.act.Poll(answerTimeout, "the API at "+address, func() (string, error) { return ready(r.ctx, address) })
	})
	if err != nil {
		return err
	}
	_, err = fmt.Printf(`
Up after %s. The AI agent API of region %s answers:

  curl -s http://%s/v1/chat/completions -H 'Content-Type: application/json' \
    -d '{"model":"mock","messages":[{"role":"user","content":"hello"}]}'

  health       http://%s/health
  Kubernetes   bin/kubectl get pods -A        (API at %s)
  Pulumi       bin/pulumi stack output
  processes    make status
  logs         %s
`, r.display.Elapsed(), region.Name, address, address, region.Server(), r.act.Instance.Path("logs"))
	return err
}

func serviceAddress(r *run, region topology.Region) (string, error) {
	address, err := r.act.Kubectl(region, "", "-n", "ai-agent", "get", "service", "ai-agent-api",
		"-o", "jsonpath={.spec.clusterIP}")
	return strings.TrimSpace(address), err
}

// ready asks the API through its Service, as a user will: kube-proxy may be a moment behind Pulumi, and after a
// restart of the cloud the API itself.
func ready(ctx context.Context, address string) (missing string, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/ready", http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		return resp.Status, err
	}
	return "", nil
}
