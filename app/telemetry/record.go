package telemetry

import (
	"strconv"
	"time"
)

// UnmatchedEndpoint is the endpoint of requests that no route matches.
const UnmatchedEndpoint = "unmatched"

// WebSocketEndpoint is the endpoint whose requests last as long as their clients like.
const WebSocketEndpoint = "/ws"

// MachineEndpoints are those that probes and scrapes request every few seconds. They say nothing about clients.
func MachineEndpoints() []string { return []string{"/livez", "/ready", "/health", "/metrics"} }

// Request is a served HTTP request.
type Request struct {
	Method, Endpoint string
	Status           int
	Duration         time.Duration
	RequestSize      int64 // bytes of the body that were read
	ResponseSize     int64 // bytes of the body that were written
}

// ObserveRequest records a served HTTP request.
func (m *Metrics) ObserveRequest(r Request) {
	method := methodLabel(r.Method)
	m.requests.WithLabelValues(method, r.Endpoint, strconv.Itoa(r.Status), m.version).Inc()
	m.requestDuration.WithLabelValues(method, r.Endpoint).Observe(r.Duration.Seconds())
	m.requestSize.WithLabelValues(r.Endpoint).Observe(float64(r.RequestSize))
	m.responseSize.WithLabelValues(r.Endpoint).Observe(float64(r.ResponseSize))
}

// SessionStarted counts a chat session as active until the returned function is called.
func (m *Metrics) SessionStarted(agentID string) (ended func()) {
	gauge := m.activeSessions.WithLabelValues(m.agents.label(agentID))
	gauge.Inc()
	return gauge.Dec
}

// StreamStarted counts a stream as active until the returned function is called.
func (m *Metrics) StreamStarted() (ended func()) {
	m.activeStreams.Inc()
	return m.activeStreams.Dec
}

// LimitUnchecked counts a request that passed without a check of its limits.
func (m *Metrics) LimitUnchecked() { m.limitsUnchecked.Inc() }

// ObserveQuery records a database query.
func (m *Metrics) ObserveQuery(operation, table string, duration time.Duration) {
	m.dbQueries.WithLabelValues(operation, table).Inc()
	m.dbQueryDuration.WithLabelValues(operation, table).Observe(duration.Seconds())
}

func (m *Metrics) observeLookup(cacheType string, hit bool) {
	m.lookups.Lock()
	defer m.lookups.Unlock()
	m.lookups.all++
	if hit {
		m.lookups.hits++
		m.cacheHits.WithLabelValues(cacheType).Inc()
	} else {
		m.cacheMisses.WithLabelValues(cacheType).Inc()
	}
	m.cacheHitRatio.WithLabelValues(cacheType).Set(m.lookups.hits / m.lookups.all)
}
