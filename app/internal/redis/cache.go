package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"agentstack/app/agent"
)

// completionPrefix names the version of what is stored, so that a change of it cannot be misread.
const completionPrefix = "ai-agent:completion:v2:"

// Cache is an agent.CompletionCache.
type Cache struct {
	client *Client
	ttl    time.Duration
}

// NewCache returns a cache that keeps completions for ttl, which is more than 0.
func NewCache(client *Client, ttl time.Duration) *Cache { return &Cache{client, ttl} }

// Get implements agent.CompletionCache. While no node answers, there is nothing in it, and no request waits for it.
func (c *Cache) Get(ctx context.Context, key string) (*agent.Completion, error) {
	if c.client.Ready(ctx) != nil {
		return nil, nil
	}
	data, err := c.client.cluster.Get(ctx, completionPrefix+key).Bytes()
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
	if c.client.Ready(ctx) != nil {
		return nil
	}
	data, err := json.Marshal(completion)
	if err != nil {
		return fmt.Errorf("encode completion: %w", err)
	}
	if err := c.client.cluster.Set(ctx, completionPrefix+key, data, c.ttl).Err(); err != nil {
		return fmt.Errorf("set completion: %w", err)
	}
	return nil
}
