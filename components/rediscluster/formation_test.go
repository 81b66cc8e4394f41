package rediscluster

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMain lets more tests run side by side than there are processors: they wait for servers most of the time.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// formedCluster returns a cluster of six nodes that formed itself and holds keys with the prefix "first".
func formedCluster(t *testing.T) *testCluster {
	t.Helper()
	c := newTestCluster(t)
	c.assignAddresses(1)
	c.startAll()
	c.eventually("formation", c.formed)
	c.write("first")
	return c
}

func TestFormation(t *testing.T) {
	t.Parallel()
	c := formedCluster(t)
	before, err := c.ids()
	must(t, err)

	// Whoever starts on the same disk waits for as long as the server runs.
	if err := exec.Command("flock", "--nonblock", filepath.Join(c.leaders[0].disk, "lock"), "true").Run(); err == nil {
		t.Error("a second server could start on the disk of the first")
	}

	c.killAgents()
	for _, pod := range c.pods() {
		pod.startAgent()
	}
	c.afterRounds(3, c.pods())
	after, err := c.ids()
	must(t, err)
	if !maps.Equal(before, after) {
		t.Errorf("agents that started again changed the nodes from %v to %v", before, after)
	}
	must(t, c.formed())
	c.read("first")
}

func TestFormationWaitsForEveryNode(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t)
	c.assignAddresses(1)
	c.startAll()
	absent := c.followers[2]
	absent.kill()
	present := c.pods()[:5]
	for _, pod := range present {
		c.eventually("start of redis-server", func() error {
			_, err := pod.run("alive.sh")
			return err
		})
	}
	c.afterRounds(5, present)
	for _, pod := range present {
		self, err := pod.self()
		must(t, err)
		if self.slots != "" {
			t.Errorf("%s took slots %s although %s was never there", pod.name, self.slots, absent.name)
		}
	}
	if output, err := c.leaders[0].run("ready.sh"); err != nil {
		t.Errorf("a leader pod that waits for the formation is not ready: %s", output)
	}
	if _, err := c.followers[0].run("ready.sh"); err == nil {
		t.Error("a follower pod is ready before the cluster is formed")
	}
	absent.startRedis()
	absent.startAgent()
	c.eventually("formation", c.formed)
}

func TestFormationSurvivesKills(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t)
	c.assignAddresses(1)
	c.startAll()
	c.eventually("the first claim", func() error {
		for _, pod := range c.leaders {
			if pod.leads() == nil {
				return nil
			}
		}
		return fmt.Errorf("no node has slots")
	})
	c.killAll()
	c.assignAddresses(2)
	c.startAll()
	c.eventually("formation", c.formed)
}
