// Package redis keeps in a Redis cluster what may be lost: cached completions, counters of limits, and the events of
// answers in progress.
package redis

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/extra/redisotel/v9"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"agentstack/app/agent"
)

// connectionsPerCore is go-redis's own default of a pool's size, per node. Reads that block come on top.
const connectionsPerCore = 10

// dialTimeout bounds one attempt to connect, TLS included.
const dialTimeout = time.Second

// setLogger guards the client library's logger, of which there is one for the process.
var setLogger sync.Once

// Options tell where the cluster is.
type Options struct {
	Addrs    []string // host:port of some nodes; the others are found through them
	Username string
	Password string
	// CAFile has the authority that signs the nodes' certificates, for the names that they are reached by; empty: no
	// TLS. It is read for each connection, since it is renewed in place.
	CAFile string
	// Tracing makes a span of each command, without its arguments.
	Tracing bool
}

// Client is the connection to a cluster.
type Client struct {
	cluster *redis.ClusterClient
	probe   *agent.Probe
}

// NewClient returns a client that connects when it is first used.
func NewClient(options Options, log *slog.Logger) *Client {
	setLogger.Do(func() { redis.SetLogger(logger{log}) })
	settings := &redis.ClusterOptions{
		Addrs:                 options.Addrs,
		Username:              options.Username,
		Password:              options.Password,
		DialTimeout:           dialTimeout,
		DialerRetries:         1,
		ReadTimeout:           time.Second,
		WriteTimeout:          time.Second,
		ContextTimeoutEnabled: true,
		MinRetryBackoff:       50 * time.Millisecond,
		PoolSize:              connectionsPerCore*runtime.GOMAXPROCS(0) + blockingReads,
		// Pods move: stale topology is found out soon even without traffic errors.
		ClusterStateReloadInterval: 10 * time.Second,
		// How long a node that failed is avoided; the default of 15 s outlasts a failover.
		FailingTimeoutSeconds: 2,
		// A feature of Redis Enterprise and Cloud.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if options.CAFile != "" {
		settings.Dialer = tlsDialer(options.CAFile)
	}
	cluster := redis.NewClusterClient(settings)
	if options.Tracing {
		trace(cluster, log)
	}
	client := &Client{cluster: cluster}
	client.probe = agent.NewProbe("redis", log, client.check)
	return client
}

// trace leaves out what the client does by itself, which belongs to no request.
func trace(cluster *redis.ClusterClient, log *slog.Logger) {
	housekeeping := []string{"auth", "client", "cluster", "command", "hello", "ping", "readonly", "select"}
	own := func(cmd redis.Cmder) bool { return slices.Contains(housekeeping, cmd.Name()) }
	// Given the cluster, redisotel would add each new node's address to the attributes of all that follow.
	cluster.OnNewNode(func(node *redis.Client) {
		err := redisotel.InstrumentTracing(node,
			redisotel.WithDBStatement(false),
			redisotel.WithCallerEnabled(false),
			redisotel.WithDialFilter(true),
			redisotel.WithCommandFilter(own),
			redisotel.WithCommandsFilter(func(cmds []redis.Cmder) bool { return slices.ContainsFunc(cmds, own) }),
		)
		if err != nil {
			log.Error("Redis is not traced", "error", err)
		}
	})
}

// Ready returns an error when no node of the cluster answers.
func (c *Client) Ready(ctx context.Context) error { return c.probe.Check(ctx) }

// check is content with any node: while a leader is being replaced, the service still answers.
func (c *Client) check(ctx context.Context) error {
	if err := c.cluster.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping redis: %w", err)
	}
	return nil
}

// Close closes every connection.
func (c *Client) Close() error { return c.cluster.Close() }

// logger passes the client library's messages on as structured logs.
type logger struct{ log *slog.Logger }

func (l logger) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, v...))
}
