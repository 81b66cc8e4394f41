package rediscluster

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

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

func TestLossOfLeader(t *testing.T) {
	t.Parallel()
	c := formedCluster(t)
	lost, heir := c.leaders[0], c.followers[0]
	lost.kill()
	c.eventually("promotion of the follower", heir.leads)
	c.write("second")
	c.read("first")

	lost.ip = "127.0.9.1"
	c.publishAddresses()
	lost.startRedis()
	lost.startAgent()
	c.eventually("return of the leader", c.formed)
	c.read("first")
	c.read("second")
}

// A frozen leader is what a partition looks like from outside: it comes back believing that it leads.
func TestFrozenLeader(t *testing.T) {
	t.Parallel()
	c := formedCluster(t)
	frozen, heir := c.leaders[1], c.followers[1]
	frozen.signal(syscall.SIGSTOP)
	if output, err := frozen.run("alive.sh"); err == nil {
		t.Errorf("a node that does not answer counts as alive: %s", output)
	}
	c.eventually("promotion of the follower", heir.leads)
	c.write("second")
	frozen.signal(syscall.SIGCONT)
	c.eventually("return of the leader", c.formed)
	c.read("first")
	c.read("second")
}

// An agent that outlives the handover of its pod would take leadership back into it.
func TestAgentStopsWhenAsked(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t)
	c.assignAddresses(1)
	pod := c.leaders[0]
	pod.startAgent()
	c.eventually("start of the agent", func() error {
		log, err := os.ReadFile(pod.logFile())
		if err == nil && !strings.Contains(string(log), "is the leader of slots") {
			err = fmt.Errorf("it said %q", log)
		}
		return err
	})
	must(t, pod.agent.Process.Signal(syscall.SIGTERM))
	ended := make(chan error, 1)
	go func() { ended <- pod.agent.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the agent ended with: %v", err)
		}
	case <-time.After(patience):
		t.Error("the agent still runs")
	}
}

// Redis itself waits for ever for a leader whose address another node has.
func TestAddressOfLostLeaderIsTaken(t *testing.T) {
	t.Parallel()
	c := formedCluster(t)
	lost := c.leaders[0]
	lost.kill()
	taker := newTestCluster(t).leaders[1]
	taker.name, taker.ip, taker.port = "taker", lost.ip, lost.port
	taker.startRedis()
	c.eventually("promotion of the follower", c.followers[0].leads)
	c.read("first")
}

func TestGracefulStopOfLeader(t *testing.T) {
	t.Parallel()
	c := formedCluster(t)
	stopped, heir := c.leaders[1], c.followers[1]
	kill(stopped.agent)
	if output, err := stopped.run("stop.sh"); err != nil {
		t.Fatalf("hand over: %v: %s", err, output)
	}
	must(t, heir.leads())
	if output, err := stopped.run("stop.sh"); err != nil {
		t.Errorf("a follower has nothing to hand over, but: %v: %s", err, output)
	}
	stopped.kill()
	c.write("second")
	c.read("first")
}

func TestRestartOfAllMachines(t *testing.T) {
	t.Parallel()
	c := formedCluster(t)
	before, err := c.ids()
	must(t, err)
	c.killAll()
	c.assignAddresses(2)
	c.startAll()
	c.eventually("return of all nodes under new addresses", c.formed)
	after, err := c.ids()
	must(t, err)
	if !maps.Equal(before, after) {
		t.Errorf("the nodes changed from %v to %v", before, after)
	}
	c.read("first")
}

func TestLossOfDisk(t *testing.T) {
	for _, test := range []struct {
		name string
		pick func(*testCluster) *testPod
	}{
		{"leader", func(c *testCluster) *testPod { return c.leaders[2] }},
		{"follower", func(c *testCluster) *testPod { return c.followers[2] }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := formedCluster(t)
			replaced := test.pick(c)
			before, err := replaced.self()
			must(t, err)
			replaced.kill()
			replaced.disk, replaced.memory = t.TempDir(), t.TempDir()
			replaced.ip = "127.0.9.3"
			c.publishAddresses()
			replaced.startRedis()
			replaced.startAgent()
			c.eventually("a complete cluster that forgot the lost node", c.formed)
			after, err := replaced.self()
			must(t, err)
			if after.id == before.id {
				t.Error("the node has the identity of the one whose disk was lost")
			}
			log, err := os.ReadFile(replaced.logFile())
			must(t, err)
			if strings.Contains(string(log), "Z claiming slots") {
				t.Error("the empty node claimed slots that had an owner")
			}
			c.read("first")
		})
	}
}

// A DNS cache may still lead to an address that now belongs to a node of another cluster with the same passwords.
func TestStrangerIsNotMet(t *testing.T) {
	t.Parallel()
	c := formedCluster(t)
	moved := c.leaders[0]
	moved.kill()
	c.eventually("promotion of the follower", c.followers[0].leads)

	strangers := newTestCluster(t)
	strangers.assignAddresses(3)
	stranger := strangers.leaders[0]
	stranger.name, stranger.port = "stranger", moved.port
	strangers.publishAddresses()
	stranger.startRedis()
	strangers.eventually("start of the stranger", func() error {
		_, err := stranger.run("alive.sh")
		return err
	})
	moved.ip = stranger.ip
	c.publishAddresses()
	running := c.pods()[1:]
	c.afterRounds(5, running)
	for _, pod := range append(running, stranger) {
		nodes, err := pod.table()
		must(t, err)
		if _, known := nodes[stranger.name]; known != (pod == stranger) {
			t.Errorf("%s knows the stranger, or the stranger knows it: %v", pod.name, nodes)
		}
	}
}

func TestAccess(t *testing.T) {
	t.Parallel()
	c := formedCluster(t)
	node := c.leaders[0]
	for _, test := range []struct {
		name, user, password string
		command              []string
		allowed              bool
	}{
		{"application reads", Username, appPassword, []string{"get", "first:0"}, true},
		{"application runs a script", Username, appPassword, []string{"eval", "return 1", "0"}, true},
		{"application finds the nodes", Username, appPassword, []string{"cluster", "slots"}, true},
		{"application finds the shards", Username, appPassword, []string{"cluster", "shards"}, true},
		{"application measures", Username, appPassword, []string{"info"}, true},
		{"application empties the node", Username, appPassword, []string{"flushall"}, false},
		{"application lists all keys", Username, appPassword, []string{"keys", "*"}, false},
		{"application changes settings", Username, appPassword, []string{"config", "set", "appendonly", "no"}, false},
		{"application resets the node", Username, appPassword, []string{"cluster", "reset"}, false},
		{"application stops the node", Username, appPassword, []string{"shutdown"}, false},
		{"application with a wrong password", Username, "wrong", []string{"get", "first:0"}, false},
		{"operator looks", "operator", operatorPassword, []string{"cluster", "nodes"}, true},
		{"operator reads", "operator", operatorPassword, []string{"get", "first:0"}, false},
		{"operator resets the node", "operator", operatorPassword, []string{"cluster", "reset"}, false},
		{"operator takes slots", "operator", operatorPassword, []string{"cluster", "delslots", "1"}, false},
		{"replica of this shard", "replica", replicaPassword(0), []string{"ping"}, true},
		{"replica of another shard", "replica", replicaPassword(1), []string{"ping"}, false},
		{"replica reads", "replica", replicaPassword(0), []string{"get", "first:0"}, false},
		{"nobody in particular", "default", "", []string{"ping"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			output, err := node.cli(test.user, test.password, test.command...)
			if (err == nil) != test.allowed {
				t.Errorf("allowed should be %t, got %q, error %v", test.allowed, output, err)
			}
		})
	}
	for _, pod := range c.pods() {
		entries, err := filepath.Glob(filepath.Join(pod.memory, "*"))
		must(t, err)
		for _, entry := range entries {
			info, err := os.Stat(entry)
			must(t, err)
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", entry, info.Mode())
			}
		}
	}
}
