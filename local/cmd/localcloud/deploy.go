package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
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

// edge is where the API of a region is reached from outside.
type edge struct {
	// host is the API's name, and address that of the Envoys' Service.
	host, address string
	// authority is a file with the certificate by which they are known.
	authority string
}

// next prints how to reach what now runs.
func (r *run) next() error {
	region := r.act.Instance.Regions()[0]
	e, err := r.findEdge(region)
	if err != nil {
		return err
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	err = r.phase("first answer", func(func(string, ...any)) error {
		return r.act.Poll(answerTimeout, "the API at "+e.address, func() (string, error) {
			return healthy(r.ctx, client, e.host)
		})
	})
	if err != nil {
		return err
	}
	_, err = fmt.Printf(`
Up after %s. The AI agent API of region %s answers. Sign a tenant up, log in, make a key, and ask:

%s
  health       curl $edge https://%s/health
  description  curl $edge https://%s/openapi.json
  Kubernetes   bin/kubectl get pods -A        (API at %s)
  Pulumi       bin/pulumi stack output
  processes    make status
  logs         %s
`, r.display.Elapsed(), region.Name, e.firstSteps(), e.host, e.host, region.Server(), r.act.Instance.Path("logs"))
	return err
}

// firstSteps are commands for a shell in the repository's folder.
func (e edge) firstSteps() string {
	const steps = `  edge='-sS --resolve HOST:443:ADDRESS --cacert AUTHORITY'
  post() { curl $edge "https://HOST/v1/$1" -H 'Content-Type: application/json' -d "$2" "${@:3}"; }
  field() { sed -E "s/.*\"$1\": ?\"([^\"]*)\".*/\1/"; }
  token=$(bin/pulumi stack output signupToken --show-secrets)
  post signup '{"email":"me@example.com","password":"correct horse","tenant":"me"}' -H "Authorization: Bearer $token"
  login=$(post auth/login '{"email":"me@example.com","password":"correct horse"}' | field access_token)
  key=$(post api-keys '{"name":"first","scopes":["chat"]}' -H "Authorization: Bearer $login" | field key)
  post chat/completions '{"model":"mock","messages":[{"role":"user","content":"hi"}]}' -H "Authorization: Bearer $key"
`
	return strings.NewReplacer("HOST", e.host, "ADDRESS", e.address, "AUTHORITY", e.authority).Replace(steps)
}

// findEdge asks the cluster, and keeps the authority's certificate where curl can read it.
func (r *run) findEdge(region topology.Region) (edge, error) {
	e := edge{authority: region.Path("api-ca.crt")}
	var certificate string
	for _, wanted := range []struct {
		into                              *string
		namespace, kind, name, expression string
	}{
		{&e.host, "ai-agent", "gateway", "ai-agent", `{.spec.listeners[?(@.name=="https")].hostname}`},
		{&e.address, "envoy-gateway-system", "service", "ai-agent-edge", "{.spec.clusterIP}"},
		{&certificate, "ai-agent", "secret", "api-tls", `{.data.ca\.crt}`},
	} {
		value, err := r.act.Kubectl(region, "", "-n", wanted.namespace, "get", wanted.kind, wanted.name,
			"-o", "jsonpath="+wanted.expression)
		if err != nil {
			return e, err
		}
		*wanted.into = strings.TrimSpace(value)
	}
	content, err := base64.StdEncoding.DecodeString(certificate)
	if err != nil {
		return e, fmt.Errorf("decode the API's authority: %w", err)
	}
	if err := os.WriteFile(e.authority, content, 0o600); err != nil {
		return e, fmt.Errorf("write the API's authority: %w", err)
	}
	return e, nil
}

// client connects to the Envoys whatever name is asked for, and believes their authority alone.
func (e edge) client() (*http.Client, error) {
	certificate, err := os.ReadFile(e.authority)
	if err != nil {
		return nil, fmt.Errorf("read the API's authority: %w", err)
	}
	authority := x509.NewCertPool()
	if !authority.AppendCertsFromPEM(certificate) {
		return nil, fmt.Errorf("%s holds no certificate", e.authority)
	}
	return &http.Client{Timeout: requestTimeout, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(e.address, "443"))
		},
		TLSClientConfig:   &tls.Config{RootCAs: authority},
		DisableKeepAlives: true,
	}}, nil
}

// healthy asks the API through the edge, as a user will: what leads there may be a moment behind Pulumi, and after a
// restart of the cloud the API itself.
func healthy(ctx context.Context, client *http.Client, host string) (missing string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/health", http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		return resp.Status, err
	}
	return "", nil
}
