package telemetry

import (
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// DefaultAgent is the agent_id of requests that name no agent.
const DefaultAgent = "default"

// Metrics holds the application's metrics in a registry of their own.
type Metrics struct {
	registry *prometheus.Registry
	version  string
	models   labelSet
	agents   labelSet

	requests        *prometheus.CounterVec
	requestDuration *prometheus.HistogramVec
	requestSize     *prometheus.HistogramVec
	responseSize    *prometheus.HistogramVec
	activeSessions  *prometheus.GaugeVec
	tokenUsage      *prometheus.CounterVec
	llmCalls        *prometheus.CounterVec
	llmLatency      *prometheus.HistogramVec
	firstToken      *prometheus.HistogramVec
	cost            *prometheus.CounterVec
	activeStreams   prometheus.Gauge
	limitsUnchecked prometheus.Counter
	cacheHits       *prometheus.CounterVec
	cacheMisses     *prometheus.CounterVec
	cacheHitRatio   *prometheus.GaugeVec
	dbQueries       *prometheus.CounterVec
	dbQueryDuration *prometheus.HistogramVec

	lookups struct {
		sync.Mutex
		hits, all float64
	}
}

// New registers every family. Version and environment are those of the process.
func New(version, environment string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), version: version}
	m.requests = m.counter(Requests)
	m.requestDuration = m.histogram(RequestDuration)
	m.requestSize = m.histogram(RequestSize)
	m.responseSize = m.histogram(ResponseSize)
	m.activeSessions = m.gauge(ActiveSessions)
	m.tokenUsage = m.counter(TokenUsage)
	m.llmCalls = m.counter(LLMCalls)
	m.llmLatency = m.histogram(LLMLatency)
	m.firstToken = m.histogram(TimeToFirstToken)
	m.cost = m.counter(Cost)
	m.activeStreams = m.gauge(ActiveStreams).WithLabelValues()
	m.limitsUnchecked = m.counter(LimitsUnchecked).WithLabelValues()
	m.cacheHits = m.counter(CacheHits)
	m.cacheMisses = m.counter(CacheMisses)
	m.cacheHitRatio = m.gauge(CacheHitRatio)
	m.dbQueries = m.counter(DBQueries)
	m.dbQueryDuration = m.histogram(DBQueryDuration)
	m.gauge(Info).WithLabelValues(version, environment).Set(1)
	m.activeSessions.WithLabelValues(DefaultAgent)
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *Metrics) counter(f Family) *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.Name, Help: f.Help}, f.Labels)
	m.registry.MustRegister(vec)
	return vec
}

func (m *Metrics) gauge(f Family) *prometheus.GaugeVec {
	vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.Name, Help: f.Help}, f.Labels)
	m.registry.MustRegister(vec)
	return vec
}

func (m *Metrics) histogram(f Family) *prometheus.HistogramVec {
	options := prometheus.HistogramOpts{Name: f.Name, Help: f.Help, Buckets: f.Buckets}
	vec := prometheus.NewHistogramVec(options, f.Labels)
	m.registry.MustRegister(vec)
	return vec
}
