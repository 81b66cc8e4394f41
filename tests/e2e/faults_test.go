//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"agentstack/tests/cloud"
)

func apiPodDeleted(t *testing.T) {
	n := cloud.AtRest(t)
	all, err := cloud.Pods("app.kubernetes.io/name=ai-agent-api")
	if err != nil || len(all) == 0 {
		t.Fatalf("%d API pods, %v", len(all), err)
	}
	cloud.Kubectl(t, "delete", "pod", all[0].Metadata.Name, "--wait=false")
	answers(t)
	cloud.Settled(t, n)
}

func primaryDeleted(t *testing.T) {
	n := cloud.AtRest(t)
	before := answers(t)
	name, err := cloud.Primary()
	if err != nil {
		t.Fatal(err)
	}
	cloud.Kubectl(t, "delete", "pod", name, "--grace-period=0", "--force", "--wait=false")
	cloud.Eventually(t, cloud.HealTimeout, "another instance is primary", func() error {
		now, err := cloud.Primary()
		if err == nil && now == name {
			err = fmt.Errorf("%s still is", name)
		}
		return err
	})
	answers(t)
	cloud.Settled(t, n)
	if err := cloud.Stored(before); err != nil {
		t.Errorf("a row that was acknowledged is lost: %v", err)
	}
}

func redisLeaderDeleted(t *testing.T) {
	n := cloud.AtRest(t)
	leader, err := cloud.RedisLeader()
	if err != nil {
		t.Fatal(err)
	}
	cloud.Kubectl(t, "delete", "pod", leader.Metadata.Name, "--grace-period=0", "--force", "--wait=false")
	answers(t)
	cloud.Settled(t, n)
}

func nodeDrained(t *testing.T) {
	n := cloud.AtRest(t)
	node := nodeOfPrimary(t)
	cloud.Command(t, "kubectl", "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=240s")
	answers(t)
	cloud.Command(t, "kubectl", "uncordon", node)
	cloud.Settled(t, n)
	answers(t)
}

func nodeCutOff(t *testing.T) {
	n := cloud.AtRest(t)
	before := answers(t)
	node := nodeOfPrimary(t)
	cloud.Command(t, "localcloud", "node", node, "down")
	t.Cleanup(func() { cloud.Command(t, "localcloud", "node", node, "up") })
	cloud.Eventually(t, cloud.HealTimeout, "the node is seen to be gone", func() error {
		return cloud.Matches("node/"+node, `{.status.conditions[?(@.type=="Ready")].status}`, "Unknown")
	})
	answers(t)
	cloud.Command(t, "localcloud", "node", node, "up")
	formerPrimaryJoins(t)
	cloud.Settled(t, n)
	answers(t)
	if err := cloud.Stored(before); err != nil {
		t.Errorf("a row that was acknowledged is lost: %v", err)
	}
}

// formerPrimaryJoins waits for all instances. A primary that was cut off may have written more of its log than was
// confirmed, and then not always finds back by itself: docs/runbooks/PostgreSQLDown.md says what to do, which is done
// here.
func formerPrimaryJoins(t *testing.T) {
	t.Helper()
	if _, err := cloud.Within(cloud.HealTimeout, "every instance has joined", cloud.PostgresWhole); err == nil {
		return
	}
	all, err := cloud.Pods("cnpg.io/podRole=instance")
	if err != nil {
		t.Fatal(err)
	}
	primary, err := cloud.Primary()
	if err != nil {
		t.Fatal(err)
	}
	joined, err := cloud.Followers(primary)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if name := p.Metadata.Name; name != primary && !slices.Contains(joined, name) {
			t.Logf("instance %s did not join by itself: it is made anew", name)
			cloud.Kubectl(t, "delete", "pvc", name, name+"-wal", "--wait=false")
			cloud.Kubectl(t, "delete", "pod", name, "--wait=false")
		}
	}
}

func nodeOfPrimary(t *testing.T) string {
	t.Helper()
	name, err := cloud.Primary()
	if err != nil {
		t.Fatal(err)
	}
	return nodeOf(t, name)
}

func nodeOf(t *testing.T, pod string) string {
	t.Helper()
	return cloud.Kubectl(t, "get", "pod", pod, "-o", "jsonpath={.spec.nodeName}")
}

func processDies(t *testing.T) {
	n := cloud.AtRest(t)
	for _, unit := range []string{"local-1-apiserver", "local-1a-kubelet", "local-1b-containerd", "local-1c-netpol"} {
		pid, restarts := process(t, unit)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		cloud.Eventually(t, cloud.HealTimeout, unit+" is started again and status says so", func() error {
			now, count, err := processState(unit)
			if err == nil && (now == pid || now == 0 || count != restarts+1) {
				err = fmt.Errorf("process %d, %d restarts", now, count)
			}
			return err
		})
	}
	cloud.Eventually(t, cloud.SettleTimeout, "the API server answers", func() error {
		_, err := cloud.Try("kubectl", "get", "--raw", "/readyz")
		return err
	})
	answers(t)
	cloud.Settled(t, n)
}

func process(t *testing.T, unit string) (pid, restarts int) {
	t.Helper()
	pid, restarts, err := processState(unit)
	if err != nil {
		t.Fatal(err)
	}
	return pid, restarts
}

// processState reads a unit's line of `make status`: name, process, time, restarts.
func processState(unit string) (pid, restarts int, err error) {
	output, err := cloud.Try("localcloud", "status", "--json")
	if err != nil {
		return 0, 0, err
	}
	var states []struct {
		Name          string
		PID, Restarts int
	}
	if err := json.Unmarshal([]byte(output), &states); err != nil {
		return 0, 0, fmt.Errorf("parse status: %w", err)
	}
	for _, s := range states {
		if s.Name == unit {
			return s.PID, s.Restarts, nil
		}
	}
	return 0, 0, fmt.Errorf("status does not list %s", unit)
}

// everythingKilled is a power cut: nothing ends in good order, and what is on disk must be enough.
func everythingKilled(t *testing.T) {
	n := cloud.AtRest(t)
	before := answers(t)
	killInstance(t)
	cloud.Command(t, "localcloud", "up", "--deploy=false")
	cloud.Settled(t, n)
	answers(t)
	if err := cloud.Stored(before); err != nil {
		t.Errorf("a row that was acknowledged is lost: %v", err)
	}
}

// killInstance kills every process that carries the instance's folder in its environment.
func killInstance(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err != nil || !strings.Contains(string(environ), "AGENTSTACK_INSTANCE_DIR="+cloud.InstanceDir()+"\x00") {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
			killed++
		}
	}
	if killed == 0 {
		t.Fatal("no process was found")
	}
}
