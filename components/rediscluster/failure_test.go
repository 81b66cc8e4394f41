package rediscluster

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

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

// A follower that hears from others where its leader is now has to follow it there.
func TestLeaderMovesBehindTheFollowersBack(t *testing.T) {
	t.Parallel()
	c := formedCluster(t)
	moved, follows := c.leaders[0], c.followers[0]
	c.killAll()
	c.assignAddresses(2)
	follows.startRedis()
	c.eventually("suspicion of the follower", func() error {
		nodes, err := follows.table()
		if err == nil && !strings.Contains(nodes[moved.name].flags, "fail") {
			err = fmt.Errorf("it sees %+v", nodes[moved.name])
		}
		return err
	})
	moved.startRedis()
	others := append(append([]*testPod{}, c.leaders[1:]...), c.followers[1:]...)
	for _, pod := range others {
		pod.startRedis()
		pod.startAgent()
	}
	c.eventually("news of the leader at the follower", func() error {
		nodes, err := follows.table()
		if err == nil && nodes[moved.name].link != "connected" {
			err = fmt.Errorf("it sees %+v", nodes[moved.name])
		}
		return err
	})
	moved.startAgent()
	follows.startAgent()
	c.eventually("a complete cluster", c.formed)
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
