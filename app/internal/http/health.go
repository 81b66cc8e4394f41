package http

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
)

// Words of the health report.
const (
	healthOK          = "ok"
	healthUnavailable = "unavailable"
	healthDraining    = "draining"
)

type healthReport struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks"`
}

// live never looks at a dependency: a restart of this process would not help one.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": healthOK})
}

// ready says whether this replica should get requests, and why not; a dependency that was there may be away for
// readyGrace. It is for inside the cluster: reasons name hosts.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	report := s.report(r.Context(), error.Error, s.grace.covers)
	if s.draining.Load() {
		report.Status = healthDraining
	}
	writeReport(w, report)
}

// health is for people and for the container's health check. It may be routed from outside.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	writeReport(w, s.report(r.Context(), func(error) string { return healthUnavailable },
		func(_ string, err error) bool { return err == nil }))
}

func writeReport(w http.ResponseWriter, report healthReport) {
	status := http.StatusOK
	if report.Status != healthOK {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, status, report)
}

// report is ok if every result is fine.
func (s *Server) report(
	ctx context.Context, describe func(error) string, fine func(name string, err error) bool,
) healthReport {
	names := slices.Sorted(maps.Keys(s.Checks))
	results := make([]error, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() { results[i] = s.Checks[name](ctx) })
	}
	group.Wait()
	report := healthReport{Status: healthOK, Checks: make(map[string]string, len(names))}
	for i, name := range names {
		report.Checks[name] = healthOK
		if !fine(name, results[i]) {
			report.Status = healthUnavailable
		}
		if err := results[i]; err != nil {
			report.Checks[name] = describe(err)
		}
	}
	return report
}

const jsonMediaType = "application/json"

func writeJSON(w http.ResponseWriter, status int, value any) {
	writeBody(w, status, jsonMediaType, value)
}

func writeBody(w http.ResponseWriter, status int, mediaType string, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeBytes(w, status, mediaType, body)
}
