package postgres

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/agent"
)

func TestAgentsAndSessions(t *testing.T) {
	eachPath(t, func(t *testing.T, pool *pgxpool.Pool) {
		store := NewSessions(pool)
		for name, test := range map[string]func(*testing.T, *Sessions, string, string){
			"agent": testAgent, "session": testSession, "lists": testLists, "cascade": testCascade,
			"other tenant": testOtherTenant,
		} {
			tenants := newTenants(t, pool, 2)
			t.Run(name, func(t *testing.T) { test(t, store, tenants[0], tenants[1]) })
		}
	})
}

func newAgent(t *testing.T, store *Sessions, tenant string) *agent.Agent {
	t.Helper()
	temperature := 0.3
	a := &agent.Agent{
		ID: newID(t), Name: "Helper", Model: "small", SystemPrompt: "Be brief.", Retrieval: true,
		Temperature: &temperature, CreatedAt: now(), UpdatedAt: now(),
	}
	check(t, store.CreateAgent(t.Context(), tenant, a))
	return a
}

func newSession(t *testing.T, store *Sessions, tenant string) *agent.Session {
	t.Helper()
	s := &agent.Session{ID: newID(t), AgentID: newAgent(t, store, tenant).ID, Title: "Talk", CreatedAt: now()}
	check(t, store.CreateSession(t.Context(), tenant, s))
	return s
}

func testAgent(t *testing.T, store *Sessions, tenant, _ string) {
	want := newAgent(t, store, tenant)
	for i, text := range append([]string{want.Name}, awkward...) {
		got, err := store.Agent(t.Context(), tenant, want.ID)
		check(t, err)
		if (got.Temperature == nil) != (want.Temperature == nil) ||
			got.Temperature != nil && *got.Temperature != 0.3 {
			t.Errorf("temperature: got %v, want %v", got.Temperature, want.Temperature)
		}
		if got.ID != want.ID || got.Name != want.Name || got.Model != want.Model || got.Retrieval != want.Retrieval ||
			got.SystemPrompt != want.SystemPrompt || !got.CreatedAt.Equal(want.CreatedAt) ||
			!got.UpdatedAt.Equal(want.UpdatedAt) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		want.Name, want.Model, want.SystemPrompt = text, text, text
		want.Retrieval, want.Temperature, want.UpdatedAt = i%2 == 0, nil, now()
		check(t, store.UpdateAgent(t.Context(), tenant, want))
	}
	check(t, store.DeleteAgent(t.Context(), tenant, want.ID))
	_, err := store.Agent(t.Context(), tenant, want.ID)
	wantProblem(t, err, "not_found")
	wantProblem(t, store.UpdateAgent(t.Context(), tenant, want), "not_found")
	wantProblem(t, store.DeleteAgent(t.Context(), tenant, want.ID), "not_found")
}

func testSession(t *testing.T, store *Sessions, tenant, _ string) {
	want := newSession(t, store, tenant)
	got, err := store.Session(t.Context(), tenant, want.ID)
	check(t, err)
	if got.AgentID != want.AgentID || got.Title != want.Title || !got.CreatedAt.Equal(want.CreatedAt) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for given, stored := range map[string]string{"a\x00b": "a\uFFFDb", "a\xff": "a\uFFFD"} {
		odd := &agent.Session{ID: newID(t), AgentID: want.AgentID, Title: given, CreatedAt: now()}
		check(t, store.CreateSession(t.Context(), tenant, odd))
		if got, err = store.Session(t.Context(), tenant, odd.ID); err != nil || got.Title != stored {
			t.Errorf("title %q: got %+v, %v", given, got, err)
		}
	}
	check(t, store.DeleteSession(t.Context(), tenant, want.ID))
	wantProblem(t, store.DeleteSession(t.Context(), tenant, want.ID), "not_found")
	want.ID, want.AgentID = newID(t), newID(t)
	wantProblem(t, store.CreateSession(t.Context(), tenant, want), "not_found")
}

func testLists(t *testing.T, store *Sessions, tenant, other string) {
	newSession(t, store, other)
	const n = 250
	owner := newAgent(t, store, tenant)
	var want []string
	for range n {
		s := &agent.Session{ID: newID(t), AgentID: owner.ID, CreatedAt: now()}
		check(t, store.CreateSession(t.Context(), tenant, s))
		want = append(want, s.ID)
	}
	slices.Reverse(want)
	var got []string
	page := agent.Page{Limit: 40}
	for more := true; more; {
		found, err := store.Sessions(t.Context(), tenant, page)
		check(t, err)
		if more = len(found) > page.Limit; more {
			found = found[:page.Limit]
		}
		for _, s := range found {
			got = append(got, s.ID)
		}
		page.Before = got[len(got)-1]
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d sessions in other order or number than the %d stored", len(got), n)
	}
	agents, err := store.Agents(t.Context(), tenant, agent.Page{Limit: 1})
	if err != nil || len(agents) != 1 || agents[0].ID != owner.ID {
		t.Errorf("agents: got %v, %v", agents, err)
	}
	_, err = store.Agents(t.Context(), tenant, agent.Page{Limit: 1, Before: "1; SELECT 1"})
	wantProblem(t, err, "invalid_value")
}

func testCascade(t *testing.T, store *Sessions, tenant, _ string) {
	session := newSession(t, store, tenant)
	question, answer := turn(t, session.ID)
	check(t, store.AddTurn(t.Context(), tenant, question, answer, time.Minute))
	check(t, store.DeleteAgent(t.Context(), tenant, session.AgentID))
	_, err := store.Session(t.Context(), tenant, session.ID)
	wantProblem(t, err, "not_found")
	_, err = store.Message(t.Context(), tenant, answer.ID)
	wantProblem(t, err, "not_found")
	wantProblem(t, store.FinishMessage(t.Context(), tenant, answer), "not_found")

	session = newSession(t, store, tenant)
	check(t, change(t.Context(), store.pool, ofTenant(tenant), statement{
		what: "tenant", sql: `DELETE FROM tenants WHERE id = @id::uuid`, args: pgx.NamedArgs{"id": tenant},
	}))
	_, err = store.Session(t.Context(), tenant, session.ID)
	wantProblem(t, err, "not_found")
}

func testOtherTenant(t *testing.T, store *Sessions, tenant, other string) {
	session := newSession(t, store, tenant)
	question, answer := turn(t, session.ID)
	check(t, store.AddTurn(t.Context(), tenant, question, answer, time.Minute))
	ids := []string{session.AgentID, session.ID, answer.ID}
	for name, err := range refusals(t, store, other, ids) {
		t.Run(name, func(t *testing.T) { wantProblem(t, err, "not_found") })
	}
	for _, table := range []string{"agents", "sessions", "messages"} {
		sql := `SELECT count(*) FROM ` + table
		for _, s := range []scope{ofTenant(other), ofTenant(""), authentication} {
			if n := count(t, store.pool, s, sql, nil); n != 0 {
				t.Errorf("scope %v sees %d rows of %s", s, n, table)
			}
		}
		if n := count(t, store.pool, ofTenant(tenant), sql, nil); n == 0 {
			t.Errorf("the tenant does not see its rows of %s", table)
		}
	}
	arguments := pgx.NamedArgs{"tenant": tenant, "agent": session.AgentID, "other": other, "id": newID(t)}
	wantRefused(t, store.pool, other, map[string]attack{
		"insert for another": {`INSERT INTO sessions (tenant_id, id, agent_id, title, created_at)
			VALUES (@tenant::uuid, @id::uuid, @agent::uuid, '', now())`, byPolicy},
		"refer to another's": {`INSERT INTO sessions (tenant_id, id, agent_id, title, created_at)
			VALUES (@other::uuid, @id::uuid, @agent::uuid, '', now())`, byReference},
		"update": {`UPDATE messages SET content = 'stolen'`, noRow},
		"delete": {`DELETE FROM agents`, noRow},
	}, arguments)
	newAgent(t, store, other)
	wantRefused(t, store.pool, other, map[string]attack{
		"give away": {`UPDATE agents SET tenant_id = @tenant::uuid`, byPolicy},
	}, arguments)
}

// refusals calls everything that takes an id.
func refusals(t *testing.T, store *Sessions, tenant string, ids []string) map[string]error {
	t.Helper()
	ctx := t.Context()
	question, answer := turn(t, ids[1])
	finished := *answer
	finished.ID, finished.Status = ids[2], agent.MessageCompleted
	_, readAgent := store.Agent(ctx, tenant, ids[0])
	_, readSession := store.Session(ctx, tenant, ids[1])
	_, readMessage := store.Message(ctx, tenant, ids[2])
	_, readMessages := store.Messages(ctx, tenant, ids[1], agent.Page{Limit: 1})
	return map[string]error{
		"Agent": readAgent, "Session": readSession, "Message": readMessage, "Messages": readMessages,
		"UpdateAgent":   store.UpdateAgent(ctx, tenant, &agent.Agent{ID: ids[0]}),
		"DeleteAgent":   store.DeleteAgent(ctx, tenant, ids[0]),
		"DeleteSession": store.DeleteSession(ctx, tenant, ids[1]),
		"CreateSession": store.CreateSession(ctx, tenant, &agent.Session{ID: newID(t), AgentID: ids[0]}),
		"AddTurn":       store.AddTurn(ctx, tenant, question, answer, time.Minute),
		"FinishMessage": store.FinishMessage(ctx, tenant, &finished),
	}
}

func TestMalformedIDsDoNotReachTheDatabase(t *testing.T) {
	store := NewSessions(open(t, "postgres://agentd@/postgres?host=/nonexistent"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := store.Agent(ctx, newID(t), newID(t))
	wantProblem(t, err, "storage_unavailable")
	valid := newID(t)
	for _, id := range []string{"", "1", "' OR true --", "{" + valid + "}", "urn:uuid:" + valid, valid + "\x00"} {
		for name, err := range refusals(t, store, newID(t), []string{id, id, id}) {
			t.Run(name, func(t *testing.T) { wantProblem(t, err, "not_found") })
		}
	}
}
