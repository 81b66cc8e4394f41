package rediscluster

import (
	"fmt"
	"strings"
	"testing"
)

func TestTwoFollowers(t *testing.T) {
	t.Parallel()
	c := newClusterOf(t, shape{leaders: 3, followersPerLeader: 2})
	c.assignAddresses(1)
	c.startAll()
	c.eventually("formation", c.formed)
	c.write("first")
	lost, first, second := c.leaders[0], c.followers[0], c.followers[3]
	lost.kill()
	heir, other := first, second
	c.eventually("promotion of a follower", func() error {
		if second.leads() == nil {
			heir, other = second, first
		}
		return heir.leads()
	})
	c.eventually("change of the other follower to the new leader", func() error {
		lead, err := heir.self()
		if err != nil {
			return err
		}
		follow, err := other.self()
		if err == nil && follow.leaderID != lead.id {
			err = fmt.Errorf("it is %+v, the leader %+v", follow, lead)
		}
		return err
	})
	c.write("second")
	// A follower whose disk is lost meanwhile has to find out who leads.
	other.kill()
	other.disk, other.memory = t.TempDir(), t.TempDir()
	other.startRedis()
	other.startAgent()
	lost.startRedis()
	lost.startAgent()
	c.eventually("return of the leader", c.formed)
	c.read("first")
	c.read("second")
}

// One follower fewer for each leader: the StatefulSet goes, and the others forget its nodes.
func TestFewerFollowers(t *testing.T) {
	t.Parallel()
	c := newClusterOf(t, shape{leaders: 3, followersPerLeader: 2})
	c.assignAddresses(1)
	c.startAll()
	c.eventually("formation", c.formed)
	departed := c.followers[3:]
	c.followers = c.followers[:3]
	c.restartAgents()
	for _, pod := range departed {
		pod.kill()
	}
	c.eventually("a cluster that forgot its nodes", c.formed)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	c := newClusterOf(t, shape{leaders: 3, followersPerLeader: 1, tls: newCertificate(t)})
	c.assignAddresses(1)
	c.startAll()
	c.eventually("formation", c.formed)
	c.write("first")
	own := c.tls
	c.tls = ""
	output, err := c.leaders[1].asApp("ping")
	if err == nil || strings.Contains(output, "PONG") {
		t.Errorf("a client without TLS got %q", output)
	}
	c.tls = newCertificate(t)
	if output, err = c.leaders[1].asApp("ping"); err == nil || strings.Contains(output, "PONG") {
		t.Errorf("a client of another authority got %q", output)
	}
	c.tls = own
	c.leaders[0].kill()
	c.eventually("promotion of the follower", c.followers[0].leads)
	c.leaders[0].startRedis()
	c.leaders[0].startAgent()
	c.eventually("return of the leader", c.formed)
	c.read("first")
}
