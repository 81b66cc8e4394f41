package telemetry

import (
	"context"

	"agentstack/app/agent"
)

// responseCache is the cache_type of the cache of completions.
const responseCache = "response"

// Cache returns next with every lookup recorded. A lookup that fails is a miss.
func (m *Metrics) Cache(next agent.CompletionCache) agent.CompletionCache {
	return &cache{next, m}
}

type cache struct {
	agent.CompletionCache
	metrics *Metrics
}

func (c *cache) Get(ctx context.Context, key string) (*agent.Completion, error) {
	completion, err := c.CompletionCache.Get(ctx, key)
	c.metrics.observeLookup(responseCache, completion != nil)
	return completion, err
}
