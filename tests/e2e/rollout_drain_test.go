//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"agentstack/tests/cloud"
)

// leadAwayFromStore lets another instance of PostgreSQL lead where the node of the primary has the object store, too.
// In a cloud the store is elsewhere; here, both would be away at once, and then nobody leads for half a minute.
func leadAwayFromStore(r *rollout) {
	if nodeOfPrimary(r.T) != nodeOf(r.T, "object-store-0") {
		return
	}
	next := follower(r.T)
	// As `kubectl cnpg promote` does.
	cloud.Kubectl(r.T, "patch", cloud.Database, "--subresource=status", "--type=merge", "-p", fmt.Sprintf(
		`{"status": {"targetPrimary": %q, "targetPrimaryTimestamp": %q, "phase": "Switchover in progress"}}`,
		next, time.Now().UTC().Format(time.RFC3339Nano)))
	cloud.Eventually(r.T, cloud.SettleTimeout, next+" leads", func() error {
		now, err := cloud.Primary()
		if err != nil {
			return err
		}
		if now != next {
			return fmt.Errorf("%s leads", now)
		}
		return cloud.PostgresWhole()
	})
}

// follower names an instance of PostgreSQL that follows the primary.
func follower(t *testing.T) string {
	t.Helper()
	primary, err := cloud.Primary()
	if err != nil {
		t.Fatal(err)
	}
	following, err := cloud.Followers(primary)
	if err != nil || len(following) == 0 {
		t.Fatalf("%v follow %s: %v", following, primary, err)
	}
	return following[0]
}

func nodeOfReplica(t *testing.T) string { return nodeOf(t, follower(t)) }

// drained drains a node, which has pods of everything.
func drained(find func(*testing.T) string) func(*rollout) {
	return func(r *rollout) {
		node := find(r.T)
		r.Cleanup(func() { cloud.Command(r.T, "kubectl", "uncordon", node) })
		cloud.Command(r.T, "kubectl", "drain", node, "--ignore-daemonsets", "--delete-emptydir-data",
			"--timeout=240s")
		cloud.Command(r.T, "kubectl", "uncordon", node)
		cloud.Settled(r.T, r.atRest)
	}
}
