// Package redis caches completions in a Redis cluster.
package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"agentstack/app/agent"
)

// keyPrefix names the version of what is stored, so that a change of it cannot be misread.
const keyPrefix = "ai-agent:completion:v1:"

// setLogger guards the client library's logger, of which there is one for the process.
var setLogger sync.Once

// Options tell where the cluster is.
type Options struct {
	Addrs    []string // host:port of some nodes; the others are found through them
	Username string
	Password string
	TTL      time.Duration
}

// Cache is an agent.CompletionCache.
type Cache struct {
	client *redis.ClusterClient
	ttl    time.Duration
	probe  *agent.Probe
}

// NewCache returns a cache that connects when it is first used.
func NewCache(options Options, log *slog.Logger) *Cache {
	setLogger.Do(func() { redis.SetLogger(logger{log}) })
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:                 options.Addrs,
		Username:              options.Username,
		Password:              options.Password,
		DialTimeout:           time.Second,
		DialerRetries:         1,
		ReadTimeout:           time.Second,
		WriteTimeout:          time.Second,
		ContextTimeoutEnabled: true,
		MinRetryBackoff:       50 * time.Millisecond,
		// Pods move: stale topology is found out soon even without traffic errors.
		ClusterStateReloadInterval: 10 * time.Second,
		// How long a node that failed is avoided; the default of 15 s outlasts a failover.
		FailingTimeoutSeconds: 2,
		// A feature of Redis Enterprise and Cloud.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	cache := &Cache{client: client, ttl: options.TTL}
	cache.probe = agent.NewProbe("redis", log, cache.check)
	return cache
}

// Ready returns an error when no node of the cluster answers.
func (c *Cache) Ready(ctx context.Context) error { return c.probe.Check(ctx) }

// check is content with any node: while a leader is being replaced, the service still answers.
func (c *Cache) check(ctx context.Context) error {
	if err := c.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping redis: %w", err)
	}
	return nil
}

// Get implements agent.CompletionCache. While no node answers, there is nothing in it, and no request waits for it.
func (c *Cache) Get(ctx context.Context, key string) (*agent.Completion, error) {
	if c.Ready(ctx) != nil {
		return nil, nil
	}
	data, err := c.client.Get(ctx, keyPrefix+key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get completion: %w", err)
	}
	var completion agent.Completion
	if err := json.Unmarshal(data, &completion); err != nil {
		return nil, fmt.Errorf("decode completion: %w", err)
	}
	return &completion, nil
}

// Put implements agent.CompletionCache. While no node answers, it does nothing.
func (c *Cache) Put(ctx context.Context, key string, completion *agent.Completion) error {
	if c.Ready(ctx) != nil {
		return nil
	}
	data, err := json.Marshal(completion)
	if err != nil {
		return fmt.Errorf("encode completion: %w", err)
	}
	if err := c.client.Set(ctx, keyPrefix+key, data, c.ttl).Err(); err != nil {
		return fmt.Errorf("set completion: %w", err)
	}
	return nil
}

// Close closes every connection.
func (c *Cache) Close() error { return c.client.Close() }

// logger passes the client library's messages on as structured logs.
type logger struct{ log *slog.Logger }

func (l logger) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, v...))
}
