package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"agentstack/app/internal/testenv"
)

// checks returns what /health says of the dependencies.
func (s *server) checks(t *testing.T) map[string]string {
	t.Helper()
	var report struct{ Checks map[string]string }
	got := s.get(t, "/health")
	if err := json.Unmarshal([]byte(got.body), &report); err != nil {
		t.Fatalf("/health: %v: %s", err, got.body)
	}
	return report.Checks
}

func TestStartWithoutDependencies(t *testing.T) {
	t.Parallel()
	e := &environment{postgres: testenv.InitPostgres(t), redis: testenv.InitRedisCluster(t), model: newUpstream(t)}
	s := e.start(t, nil)
	if got := s.get(t, "/livez"); got.status != http.StatusOK {
		t.Errorf("/livez: %d", got.status)
	}
	if got := s.get(t, "/ready"); got.status != http.StatusServiceUnavailable {
		t.Errorf("/ready: %d %s", got.status, got.body)
	}
	missing := map[string]string{"database": "unavailable", "redis": "unavailable"}
	if checks := s.checks(t); !maps.Equal(checks, missing) {
		t.Errorf("checks: %v", checks)
	}
	e.redis.Start(t)
	e.postgres.Start(t)
	eventually(t, "redis is found", func() bool { return s.checks(t)["redis"] == "ok" })
	eventually(t, "the missing schema is told", func() bool {
		return strings.Contains(s.get(t, "/ready").body, "agentd migrate")
	})
	e.migrate(t)
	s.waitReady(t)
	if got := s.chat(t, prompt("m", "at last", false)); got.status != http.StatusOK {
		t.Errorf("chat: %d %s", got.status, got.body)
	}
	if strings.Contains(s.logs.String(), testenv.Secret) {
		t.Error("the log contains the password")
	}
}

func TestDatabaseLost(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	s := e.start(t, nil)
	s.waitReady(t)
	hanging := s.openStream(t, prompt("mock-slow", "one two three four five six seven eight", true), "lost-1")
	hanging.skipTo(`"You "`)
	e.postgres.Stop(t)
	hanging.skipTo(`"eight"`)
	e.postgres.Start(t)
	// The answer that was going on is acknowledged only after it is stored.
	hanging.skipTo("[DONE]")
	if row := e.stored(t, "lost-1"); row.Status != "completed" {
		t.Errorf("row: %+v", row)
	}
	e.postgres.Stop(t)
	eventually(t, "not ready", func() bool { return s.get(t, "/ready").status == http.StatusServiceUnavailable })
	if got := s.get(t, "/livez"); got.status != http.StatusOK {
		t.Errorf("/livez: %d", got.status)
	}
	got := s.chat(t, prompt("m", "not to be called", false))
	_, code, _ := apiErrorOf(t, got.body)
	if got.status != http.StatusServiceUnavailable || code != "storage_unavailable" {
		t.Errorf("chat: %d %s", got.status, got.body)
	}
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if calls := e.model.requestsWith("not to be called"); len(calls) != 0 {
		t.Errorf("the model server was called without storage: %v", calls)
	}
	e.postgres.Start(t)
	s.waitReady(t)
	if got := s.chat(t, prompt("m", "again", false)); got.status != http.StatusOK {
		t.Errorf("chat: %d %s", got.status, got.body)
	}
}

func TestRedisLost(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	s := e.start(t, nil)
	s.waitReady(t)
	ask := func(what string) {
		t.Helper()
		for _, text := range []string{"a", "b", "c", "d", "e", "f"} { // keys of every leader
			started := time.Now()
			got := s.chat(t, prompt("m", text, false))
			if got.status != http.StatusOK {
				t.Errorf("%s: %d %s", what, got.status, got.body)
			}
			if took := time.Since(started); took > 5*time.Second {
				t.Errorf("%s: took %s", what, took)
			}
		}
	}
	ask("all leaders")
	e.redis.StopNode(1)
	ask("a leader is killed")
	if got := s.get(t, "/ready"); got.status != http.StatusOK {
		t.Errorf("/ready with two of three leaders: %d %s", got.status, got.body)
	}
	e.redis.Stop()
	ask("no leader")
	eventually(t, "not ready", func() bool { return s.get(t, "/ready").status == http.StatusServiceUnavailable })
	if got := s.get(t, "/livez"); got.status != http.StatusOK {
		t.Errorf("/livez: %d", got.status)
	}
}

func TestRedisHangs(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	s := e.start(t, nil)
	s.waitReady(t)
	e.redis.Pause(t)
	started := time.Now()
	for range 5 {
		if got := s.chat(t, prompt("m", "hang", false)); got.status != http.StatusOK {
			t.Errorf("chat: %d %s", got.status, got.body)
		}
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("five requests took %s", took)
	}
}
