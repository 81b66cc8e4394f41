package main

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"agentstack/app/internal/testenv"
)

// TestSwitchover sends requests all the time, through a pooler, while what is behind the API is replaced. None fails,
// and what was acknowledged is there once.
func TestSwitchover(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	pooler := testenv.NewPgBouncer(t, e.postgres)
	s := e.start(t, map[string]string{"DATABASE_URL": pooler.URL(), "SHUTDOWN_DELAY": "1s"})
	f := start(t, s.signUp(t, "switchover@example.com"))
	f.goesOn(t, "before")

	pooler.Stop()
	if got := s.get(t, "/ready"); got.status != http.StatusOK {
		t.Errorf("/ready without a pooler: %d %s", got.status, got.body)
	}
	pooler.Start(t)
	f.goesOn(t, "the pooler was restarted")

	e.postgres.Shutdown(t)
	time.Sleep(2 * time.Second) // as long as a standby takes to be promoted
	if got := s.get(t, "/ready"); got.status != http.StatusOK {
		t.Errorf("/ready without a primary: %d %s", got.status, got.body)
	}
	e.postgres.Start(t)
	f.goesOn(t, "the server was restarted")

	e.postgres.Stop(t)
	e.postgres.Start(t)
	f.goesOn(t, "the server has crashed")

	e.alter(t, "SET default_transaction_read_only = on")
	time.Sleep(2 * time.Second)
	e.alter(t, "RESET default_transaction_read_only")
	f.goesOn(t, "the server takes writes again")

	next := e.start(t, map[string]string{"DATABASE_URL": pooler.URLOf(testenv.OtherLogin)})
	next.waitReady(t)
	f.server.Store(next)
	s.terminate()
	if code := s.wait(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	f.goesOn(t, "the API logs in as another role")
	f.end()
	f.check(t, e)
}

// alter changes a setting of the server, which takes it over while it runs.
func (e *environment) alter(t *testing.T, setting string) {
	t.Helper()
	connection := e.connect(t)
	defer connection.Close(context.Background())
	for _, statement := range []string{"ALTER SYSTEM " + setting, "SELECT pg_reload_conf()"} {
		if _, err := connection.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// check compares what was acknowledged with what is stored.
func (f *traffic) check(t *testing.T, e *environment) {
	t.Helper()
	connection := e.connect(t)
	defer connection.Close(context.Background())
	values := func(query string, args ...any) []string {
		rows, err := connection.Query(t.Context(), query, args...)
		if err != nil {
			t.Fatal(err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	stored := values("SELECT name FROM agents WHERE name LIKE 'agent %' ORDER BY id")
	if !slices.Equal(stored, f.agents) {
		t.Errorf("%d agents are stored, %d were acknowledged", len(stored), len(f.agents))
	}
	chats := values("SELECT request_id FROM exchanges WHERE request_id LIKE 'switchover-%' ORDER BY id")
	if !slices.Equal(chats, f.chats) {
		t.Errorf("%d exchanges are stored, %d were acknowledged", len(chats), len(f.chats))
	}
	messages := values("SELECT role || ' ' || status FROM messages WHERE session_id = $1 ORDER BY id", f.session)
	want := slices.Repeat([]string{"user completed", "assistant completed"}, f.messages)
	if !slices.Equal(messages, want) {
		t.Errorf("%d messages are stored, %d were acknowledged", len(messages), len(want))
	}
	if open := values("SELECT key FROM idempotency_keys WHERE status IS NULL"); len(open) > 0 {
		t.Errorf("keys without an answer: %v", open)
	}
	t.Logf("%d agents, %d chats, %d messages", len(stored), len(chats), len(messages))
}
