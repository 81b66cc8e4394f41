// Package netpol runs the engine of NetworkPolicies on every node of a region.
package netpol

import (
	_ "embed" // for the role
	"fmt"
	"time"

	"agentstack/local/cluster/action"
	"agentstack/local/cluster/pki"
	"agentstack/local/cluster/supervisor"
	"agentstack/local/cluster/topology"
)

const stopTimeout = 10 * time.Second

// role lets the engines, which have one identity in a region, see what they make rules from.
//
//go:embed role.yaml
var role string

// Execute starts the engine of each node. It comes before the nodes' kubelets, so that the rules are there before pods.
func Execute(c action.Context, r topology.Region) error {
	_, err := c.Kubectl(r, role, "apply", "--server-side", "--force-conflicts", "--field-manager=localcloud", "-f", "-")
	if err != nil {
		return err
	}
	binary, err := c.Binary("netpol")
	if err != nil {
		return err
	}
	for _, n := range r.Nodes {
		err := c.Supervisor.Ensure(c, supervisor.Unit{
			Name: n.Name + "-netpol", Namespace: n.Namespace, StopTimeout: stopTimeout,
			Args: []string{binary, "--kubeconfig=" + pki.Kubeconfig(r, "netpol"), "--node=" + n.Name},
		})
		if err != nil {
			return fmt.Errorf("start netpol of %s: %w", n.Name, err)
		}
	}
	return nil
}
