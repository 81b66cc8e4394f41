//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// atRest returns how many pods are ready before a fault, so that settled can wait for as many after it.
func atRest(t *testing.T) int {
	t.Helper()
	all, err := pods()
	if err != nil {
		t.Fatal(err)
	}
	return readyCount(all)
}

func apiPodDeleted(t *testing.T) {
	n := atRest(t)
	all, err := pods("app.kubernetes.io/name=ai-agent-api")
	if err != nil || len(all) == 0 {
		t.Fatalf("%d API pods, %v", len(all), err)
	}
	kubectl(t, "delete", "pod", all[0].Metadata.Name, "--wait=false")
	answers(t)
	settled(t, n)
}

func primaryDeleted(t *testing.T) {
	n := atRest(t)
	before := answers(t)
	name, err := primary()
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, "delete", "pod", name, "--grace-period=0", "--force", "--wait=false")
	eventually(t, healTimeout, "another instance is primary", func() error {
		now, err := primary()
		if err == nil && now == name {
			err = fmt.Errorf("%s still is", name)
		}
		return err
	})
	answers(t)
	settled(t, n)
	if err := stored(before); err != nil {
		t.Errorf("a row that was acknowledged is lost: %v", err)
	}
}

func redisLeaderDeleted(t *testing.T) {
	n := atRest(t)
	name, err := redisLeader()
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, "delete", "pod", name, "--grace-period=0", "--force", "--wait=false")
	answers(t)
	settled(t, n)
}

func nodeDrained(t *testing.T) {
	n := atRest(t)
	node := nodeOfPrimary(t)
	command(t, "kubectl", "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=240s")
	answers(t)
	command(t, "kubectl", "uncordon", node)
	settled(t, n)
	answers(t)
}

func nodeCutOff(t *testing.T) {
	n := atRest(t)
	before := answers(t)
	node := nodeOfPrimary(t)
	command(t, "localcloud", "node", node, "down")
	t.Cleanup(func() { command(t, "localcloud", "node", node, "up") })
	eventually(t, healTimeout, "the node is seen to be gone", func() error {
		return matches("node/"+node, `{.status.conditions[?(@.type=="Ready")].status}`, "Unknown")
	})
	answers(t)
	command(t, "localcloud", "node", node, "up")
	formerPrimaryJoins(t)
	settled(t, n)
	answers(t)
	if err := stored(before); err != nil {
		t.Errorf("a row that was acknowledged is lost: %v", err)
	}
}

// formerPrimaryJoins waits for all instances. A primary that was cut off may have written more of its log than was
// confirmed, and then not always finds back by itself: docs/runbooks/PostgreSQLDown.md says what to do, which is done
// here.
func formerPrimaryJoins(t *testing.T) {
	t.Helper()
	began := time.Now()
	for time.Since(began) < healTimeout {
		if err := matches("cluster.postgresql.cnpg.io/ai-agent-db", "{.status.readyInstances}", "3"); err == nil {
			return
		}
		time.Sleep(pollEvery)
	}
	all, err := pods("cnpg.io/podRole=instance")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if name := p.Metadata.Name; !p.ready() {
			t.Logf("instance %s did not join by itself: it is made anew", name)
			kubectl(t, "delete", "pvc", name, name+"-wal", "--wait=false")
			kubectl(t, "delete", "pod", name, "--wait=false")
		}
	}
}

func nodeOfPrimary(t *testing.T) string {
	t.Helper()
	name, err := primary()
	if err != nil {
		t.Fatal(err)
	}
	return kubectl(t, "get", "pod", name, "-o", "jsonpath={.spec.nodeName}")
}

func processDies(t *testing.T) {
	n := atRest(t)
	for _, unit := range []string{"local-1-apiserver", "local-1a-kubelet", "local-1b-containerd"} {
		pid, restarts := process(t, unit)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, healTimeout, unit+" is started again and status says so", func() error {
			now, count, err := processState(unit)
			if err == nil && (now == pid || now == 0 || count != restarts+1) {
				err = fmt.Errorf("process %d, %d restarts", now, count)
			}
			return err
		})
	}
	eventually(t, settleTimeout, "the API server answers", func() error {
		_, err := try("kubectl", "get", "--raw", "/readyz")
		return err
	})
	answers(t)
	settled(t, n)
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
	output, err := try("localcloud", "status", "--json")
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
	n := atRest(t)
	before := answers(t)
	killInstance(t)
	command(t, "localcloud", "up", "--deploy=false")
	settled(t, n)
	answers(t)
	if err := stored(before); err != nil {
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
		if err != nil || !strings.Contains(string(environ), "AGENTSTACK_INSTANCE_DIR="+instanceDir()+"\x00") {
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
