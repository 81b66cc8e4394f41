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
Up after %s. The AI agent API of region %s answers. Sign a tenant up, log in, make a key, and ask:

%s
  description  http://%s/docs
  health       http://%s/health
  Kubernetes   bin/kubectl get pods -A        (API at %s)
  Pulumi       bin/pulumi stack output
  processes    make status
  logs         %s
`, r.display.Elapsed(), region.Name, firstSteps(address), address, address, region.Server(),
		r.act.Instance.Path("logs"))
	return err
}

// firstSteps are commands for a shell in the repository's folder.
func firstSteps(address string) string {
	const steps = `  api=http://ADDRESS/v1 json='Content-Type: application/json'
  post() { curl -sS "$api/$1" -H "$json" -d "$2" "${@:3}"; }
  field() { sed -E "s/.*\"$1\": ?\"([^\"]*)\".*/\1/"; }
  token=$(bin/pulumi stack output signupToken --show-secrets)
  post signup '{"email":"me@example.com","password":"correct horse","tenant":"me"}' -H "Authorization: Bearer $token"
  login=$(post auth/login '{"email":"me@example.com","password":"correct horse"}' | field access_token)
  key=$(post api-keys '{"name":"first","scopes":["chat"]}' -H "Authorization: Bearer $login" | field key)
  post chat/completions '{"model":"mock","messages":[{"role":"user","content":"hi"}]}' -H "Authorization: Bearer $key"
`
	return strings.ReplaceAll(steps, "ADDRESS", address)
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
