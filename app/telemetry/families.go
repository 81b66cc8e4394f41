// Package telemetry names every metric of the application once: what the code records, and what alerts,
// dashboards and autoscaling may refer to.
package telemetry

// Type is the type of a metric family in the Prometheus exposition format.
type Type string

// The types in use.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Family describes a metric family.
type Family struct {
	Name    string
	Type    Type
	Help    string
	Labels  []string
	Buckets []float64 // upper bounds in the unit of the name, histograms only
}

var (
	// requestBuckets reach the edge's time limit of 300 s, since an answer of a model takes its time.
	requestBuckets    = []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300}
	llmBuckets        = []float64{0.5, 1, 2, 5, 10, 30, 60, 120, 300}
	firstTokenBuckets = []float64{0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30}
	sizeBuckets       = []float64{100, 1e3, 1e4, 1e5, 1e6, 1e7, 5e7}
	queryBuckets      = []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}
)

// The families. The endpoint label is the route's pattern or "unmatched"; status_code is 499 when the client
// went away before the answer was complete, and 500 after a panic.
var (
	Info = Family{
		Name: "ai_agent_info", Type: Gauge, Help: "AI Agent application information, always 1",
		Labels: []string{"version", "environment"},
	}
	Requests = Family{
		Name: "ai_agent_requests_total", Type: Counter, Help: "Total number of requests",
		Labels: []string{"method", "endpoint", "status_code", "app_version"},
	}
	RequestDuration = Family{
		Name: "ai_agent_request_duration_seconds", Type: Histogram, Help: "Request latency in seconds",
		Labels: []string{"method", "endpoint"}, Buckets: requestBuckets,
	}
	RequestSize = Family{
		Name: "ai_agent_request_size_bytes", Type: Histogram, Help: "Request body size in bytes, as read",
		Labels: []string{"endpoint"}, Buckets: sizeBuckets,
	}
	ResponseSize = Family{
		Name: "ai_agent_response_size_bytes", Type: Histogram, Help: "Response body size in bytes, as written",
		Labels: []string{"endpoint"}, Buckets: sizeBuckets,
	}
	ActiveSessions = Family{
		Name: "ai_agent_active_sessions", Type: Gauge, Help: "Number of chat sessions that wait for an answer",
		Labels: []string{"agent_id"},
	}
	TokenUsage = Family{
		Name: "ai_agent_token_usage_total", Type: Counter, Help: "Total tokens consumed",
		Labels: []string{"model", "agent_id", "token_type"},
	}
	LLMCalls = Family{
		Name: "ai_agent_llm_calls_total", Type: Counter, Help: "Total LLM API calls",
		Labels: []string{"model", "status", "error_type"},
	}
	LLMLatency = Family{
		Name: "ai_agent_llm_latency_seconds", Type: Histogram, Help: "LLM API call latency, to the end of the answer",
		Labels: []string{"model"}, Buckets: llmBuckets,
	}
	TimeToFirstToken = Family{
		Name: "ai_agent_time_to_first_token_seconds", Type: Histogram,
		Help:   "Time from a streamed LLM API call to the first piece of its answer",
		Labels: []string{"model"}, Buckets: firstTokenBuckets,
	}
	Cost = Family{
		Name: "ai_agent_cost_usd_total", Type: Counter,
		Help:   "Cost of the tokens consumed, in USD, by the prices of the model catalog",
		Labels: []string{"model"},
	}
	ActiveStreams = Family{
		Name: "ai_agent_active_streams", Type: Gauge, Help: "Number of answers that are being streamed to clients",
	}
	LimitsUnchecked = Family{
		Name: "ai_agent_limits_unchecked_total", Type: Counter,
		Help: "Requests that passed without a check of their rate limit or token budget, since Redis did not answer",
	}
	CacheHits = Family{
		Name: "ai_agent_cache_hits_total", Type: Counter, Help: "Total cache hits",
		Labels: []string{"cache_type"},
	}
	CacheMisses = Family{
		Name: "ai_agent_cache_misses_total", Type: Counter, Help: "Total cache misses",
		Labels: []string{"cache_type"},
	}
	CacheHitRatio = Family{
		Name: "ai_agent_cache_hit_ratio", Type: Gauge, Help: "Hits among the cache lookups of this process",
		Labels: []string{"cache_type"},
	}
	DBQueries = Family{
		Name: "ai_agent_db_queries_total", Type: Counter, Help: "Total database queries",
		Labels: []string{"operation", "table"},
	}
	DBQueryDuration = Family{
		Name: "ai_agent_db_query_duration_seconds", Type: Histogram, Help: "Database query latency",
		Labels: []string{"operation", "table"}, Buckets: queryBuckets,
	}
)

// Families returns every family that the application exposes besides those of the Go runtime and the process.
func Families() []Family {
	return []Family{
		Info, Requests, RequestDuration, RequestSize, ResponseSize, ActiveSessions, TokenUsage, LLMCalls, LLMLatency,
		TimeToFirstToken, Cost, ActiveStreams, LimitsUnchecked, CacheHits, CacheMisses, CacheHitRatio,
		DBQueries, DBQueryDuration,
	}
}
