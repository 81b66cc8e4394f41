package testenv

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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
	authority          *Authority // nil: no TLS
	server             *process
}

// NewRedisCluster starts an empty cluster.
func NewRedisCluster(t testing.TB) *RedisCluster {
	t.Helper()
	c := InitRedisCluster(t)
	c.Start(t)
	return c
}

// ServeTLS gives the nodes, before their start, certificates for the loopback address.
func (c *RedisCluster) ServeTLS(t testing.TB, authority *Authority) {
	t.Helper()
	for _, node := range c.nodes {
		authority.issue(t, node.dir, "127.0.0.1")
		node.authority = authority
	}
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
	}
	for _, node := range c.nodes {
		node.server.wait(t, func() error {
			info, err := node.do(ctx, "CLUSTER", "INFO")
			if err != nil {
				return err
			}
			if strings.Contains(info, "cluster_known_nodes:1\r") || strings.Contains(info, "cluster_known_nodes:2\r") {
				for _, other := range c.nodes { // again and again: a busy machine may miss the time for a handshake
					node.must(t, ctx, "CLUSTER", "MEET", "127.0.0.1", other.port, other.busPort)
				}
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

// StartNode starts a node again that was killed. It comes back to its slots, without their keys.
func (c *RedisCluster) StartNode(t testing.TB, i int) {
	t.Helper()
	c.nodes[i].start(t)
}

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
	args := []string{
		"--bind", "127.0.0.1", "--dir", n.dir, "--save", "", "--cluster-port", n.busPort, "--requirepass", Secret,
		"--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no",
	}
	if n.authority == nil {
		args = append(args, "--port", n.port)
	} else {
		args = append(args, "--port", "0", "--tls-port", n.port, "--tls-cluster", "yes", "--tls-auth-clients", "no",
			"--tls-cert-file", "server.crt", "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.crt")
	}
	n.server = startProcess(t, n.dir, "redis-server", args...)
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
	options := &redis.Options{Addr: n.addr(), Password: Secret, MaxRetries: -1}
	if n.authority != nil {
		roots := x509.NewCertPool()
		roots.AddCert(n.authority.certificate)
		options.TLSConfig = &tls.Config{RootCAs: roots}
	}
	client := redis.NewClient(options)
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
