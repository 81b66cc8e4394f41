package testenv

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// slots is the number of hash slots of every Redis cluster.
const slots = 16384

// RedisCluster is a cluster of three leaders without followers, on the loopback interface, for one test.
type RedisCluster struct {
	nodes []*redisNode
}

type redisNode struct {
	dir, port, busPort string
	server             *process
}

// NewRedisCluster starts an empty cluster.
func NewRedisCluster(t testing.TB) *RedisCluster {
	t.Helper()
	c := InitRedisCluster(t)
	c.Start(t)
	return c
}

// InitRedisCluster chooses the nodes' addresses and starts none.
func InitRedisCluster(t testing.TB) *RedisCluster {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal(missing("redis-server", "redis-server"))
	}
	ports := freePorts(t, 6)
	c := &RedisCluster{}
	for i := range 3 {
		c.nodes = append(c.nodes, &redisNode{dir: directory(t), port: ports[2*i], busPort: ports[2*i+1]})
	}
	return c
}

// Addrs returns host:port of every node.
func (c *RedisCluster) Addrs() []string {
	var addrs []string
	for _, node := range c.nodes {
		addrs = append(addrs, node.addr())
	}
	return addrs
}

// Start starts the nodes and joins them into a cluster.
func (c *RedisCluster) Start(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	for _, node := range c.nodes {
		node.start(t)
	}
	for i, node := range c.nodes {
		first, last := i*slots/3, (i+1)*slots/3-1
		node.must(t, ctx, "CLUSTER", "ADDSLOTSRANGE", first, last)
		node.must(t, ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i > 0 {
			c.nodes[0].must(t, ctx, "CLUSTER", "MEET", "127.0.0.1", node.port, node.busPort)
		}
	}
	for _, node := range c.nodes {
		node.server.wait(t, func() error {
			info, err := node.do(ctx, "CLUSTER", "INFO")
			if err != nil {
				return err
			}
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:3") {
				return fmt.Errorf("cluster is not complete: %s", info)
			}
			return nil
		})
	}
}

// StopNode kills one node.
func (c *RedisCluster) StopNode(i int) { c.nodes[i].server.stop(syscall.SIGKILL) }

// Stop kills every node.
func (c *RedisCluster) Stop() {
	for i := range c.nodes {
		c.StopNode(i)
	}
}

// Pause makes every node hang, as a cut network would.
func (c *RedisCluster) Pause(t testing.TB) {
	t.Helper()
	for _, node := range c.nodes {
		node.server.pause(t)
	}
}

func (n *redisNode) addr() string { return net.JoinHostPort("127.0.0.1", n.port) }

func (n *redisNode) start(t testing.TB) {
	t.Helper()
	n.server = startProcess(t, n.dir, "redis-server", "--bind", "127.0.0.1", "--dir", n.dir, "--save", "",
		"--port", n.port, "--cluster-port", n.busPort, "--requirepass", Secret, "--cluster-enabled", "yes",
		"--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no")
	n.server.wait(t, func() error {
		_, err := n.do(t.Context(), "PING")
		return err
	})
}

func (n *redisNode) must(t testing.TB, ctx context.Context, args ...any) {
	t.Helper()
	if _, err := n.do(ctx, args...); err != nil {
		t.Fatalf("redis: %v: %v", args, err)
	}
}

func (n *redisNode) do(ctx context.Context, args ...any) (string, error) {
	client := redis.NewClient(&redis.Options{Addr: n.addr(), Password: Secret, MaxRetries: -1})
	defer client.Close()
	return client.Do(ctx, args...).Text()
}

// freePorts returns ports that were free just now; all are held until all are known, so that they differ.
func freePorts(t testing.TB, count int) []string {
	t.Helper()
	var ports []string
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("find free port: %v", err)
		}
		defer listener.Close()
		ports = append(ports, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	}
	return ports
}
