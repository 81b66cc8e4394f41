package rediscluster

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
		{"operator deletes", "operator", operatorPassword, []string{"del", "first:0"}, false},
		{"operator copies a key out", "operator", operatorPassword, []string{"dump", "first:0"}, false},
		{"operator resets the node", "operator", operatorPassword, []string{"cluster", "reset"}, false},
		{"operator takes slots", "operator", operatorPassword, []string{"cluster", "delslots", "1"}, false},
		{"replica of this shard", "replica", replicaPassword(0), []string{"ping"}, true},
		{"replica of another shard", "replica", replicaPassword(1), []string{"ping"}, false},
		{"replica reads", "replica", replicaPassword(0), []string{"get", "first:0"}, false},
		{"exporter looks", "exporter", exporterPassword, []string{"info", "all"}, true},
		{"exporter looks at the cluster", "exporter", exporterPassword, []string{"cluster", "info"}, true},
		{"exporter looks at latencies", "exporter", exporterPassword, []string{"latency", "latest"}, true},
		{"exporter reads", "exporter", exporterPassword, []string{"get", "first:0"}, false},
		{"exporter writes", "exporter", exporterPassword, []string{"set", "first:0", "x"}, false},
		{"exporter lists keys", "exporter", exporterPassword, []string{"scan", "0"}, false},
		{"exporter empties the node", "exporter", exporterPassword, []string{"flushall"}, false},
		{"exporter reads settings", "exporter", exporterPassword, []string{"config", "get", "masterauth"}, false},
		{"exporter reads slow commands", "exporter", exporterPassword, []string{"slowlog", "get"}, false},
		{"exporter resets the node", "exporter", exporterPassword, []string{"cluster", "reset"}, false},
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

// A limit of zero would make the share of it that is used meaningless.
func TestExporterSeesTheMemoryLimit(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t)
	c.assignAddresses(1)
	node := c.leaders[0]
	node.startRedis()
	var output string
	c.eventually("start of redis-server", func() (err error) {
		output, err = node.cli("exporter", exporterPassword, "info", "memory")
		return err
	})
	if !strings.Contains(output, "\nmaxmemory:33554432") {
		t.Errorf("INFO does not tell the limit of 33554432 bytes:\n%s", output)
	}
}

// replicaPassword returns what start.sh derives for a shard.
func replicaPassword(shard int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s shard %d", operatorPassword, shard))
	return hex.EncodeToString(sum[:])
}
