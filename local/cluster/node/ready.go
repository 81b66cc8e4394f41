package node

import (
	"fmt"
	"strings"
	"time"

	"agentstack/local/cluster/action"
	"agentstack/local/cluster/topology"
)

// notReady names the nodes of a region that are missing or not Ready, or whose kubelet has not renewed its lease since
// it was started: after a restart of the cloud, the API server still tells what was true before.
func notReady(c action.Context, r topology.Region) (string, error) {
	ready, err := c.Kubectl(r, "", "get", "nodes", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}`)
	if err != nil {
		return "", err
	}
	leases, err := c.Kubectl(r, "", "-n", "kube-node-lease", "get", "leases", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.spec.renewTime}{"\n"}{end}`)
	if err != nil {
		return "", err
	}
	started, err := kubeletStarts(c)
	if err != nil {
		return "", err
	}
	status, renewed := columns(ready), columns(leases)
	var missing []string
	for _, n := range r.Nodes {
		renewal, err := time.Parse(time.RFC3339, renewed[n.Name])
		if status[n.Name] != "True" || err != nil || renewal.Before(started[n.Name]) {
			missing = append(missing, n.Name)
		}
	}
	return strings.Join(missing, ", "), nil
}

func kubeletStarts(c action.Context) (map[string]time.Time, error) {
	states, err := c.Supervisor.States(c)
	if err != nil {
		return nil, fmt.Errorf("read state of kubelets: %w", err)
	}
	started := map[string]time.Time{}
	for _, s := range states {
		if node, ok := strings.CutSuffix(s.Name, kubeletSuffix); ok {
			started[node] = s.Started
		}
	}
	return started, nil
}

// columns reads lines of two words.
func columns(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			values[key] = value
		}
	}
	return values
}
