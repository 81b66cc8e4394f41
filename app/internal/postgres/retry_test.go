package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"agentstack/app/account"
	"agentstack/app/agent"
)

// TestUnknownEnds loses the connection after each commit. Every call succeeds, and what it does is done once.
func TestUnknownEnds(t *testing.T) {
	t.Parallel()
	server := migrated(t)
	c := newCutter(t, server)
	pool, ctx := open(t, c.url), t.Context()
	accounts, sessions, documents := NewAccounts(pool), NewSessions(pool), NewDocuments(pool)
	keys := NewIdempotency(pool)

	tenant := &account.Tenant{ID: newID(t), Name: "Tenant", CreatedAt: now()}
	owner := &account.User{
		ID: newID(t), TenantID: tenant.ID, Email: newID(t), Role: account.RoleOwner, CreatedAt: now(),
	}
	member := &account.User{
		ID: newID(t), TenantID: tenant.ID, Email: newID(t), Role: account.RoleMember, CreatedAt: now(),
	}
	login, key := newLogin(t, owner, now().Add(time.Hour)), newKey(t, owner, "")
	assistant := &agent.Agent{ID: newID(t), CreatedAt: now(), UpdatedAt: now()}
	session := &agent.Session{ID: newID(t), AgentID: assistant.ID, CreatedAt: now()}
	question, answer := turn(t, session.ID)
	finished := *answer
	finished.Status, finished.Content = agent.MessageCompleted, "Because"
	document, chunks := newDocument(t, "Guide", numbered(3*putRows)...)
	rotate := func() error {
		rotated, err := accounts.RotateLogin(ctx, login.ID, login.TokenHash, []byte("new"), login.ExpiresAt)
		if err == nil && !rotated {
			return errors.New("the login was taken for one whose token was stolen")
		}
		return err
	}
	claim := func() error {
		stored, err := keys.Begin(ctx, tenant.ID, "", "key", []byte("fingerprint"))
		if err == nil && stored != nil {
			return errors.New("the key is taken for answered")
		}
		return err
	}
	for _, step := range []struct {
		name string
		call func() error
	}{
		{"CreateTenant", func() error { return accounts.CreateTenant(ctx, tenant, owner) }},
		{"CreateUser", func() error { return accounts.CreateUser(ctx, member) }},
		{"CreateLogin", func() error { return accounts.CreateLogin(ctx, login) }},
		{"RotateLogin", rotate},
		{"CreateKey", func() error { return accounts.CreateKey(ctx, key) }},
		{"RevokeKey", func() error { return accounts.RevokeKey(ctx, tenant.ID, key.ID) }},
		{"CreateAgent", func() error { return sessions.CreateAgent(ctx, tenant.ID, assistant) }},
		{"UpdateAgent", func() error { return sessions.UpdateAgent(ctx, tenant.ID, assistant) }},
		{"CreateSession", func() error { return sessions.CreateSession(ctx, tenant.ID, session) }},
		{"AddTurn", func() error { return sessions.AddTurn(ctx, tenant.ID, question, answer, time.Minute) }},
		{"FinishMessage", func() error { return sessions.FinishMessage(ctx, tenant.ID, &finished) }},
		{"PutDocument", func() error { return documents.PutDocument(ctx, tenant.ID, document, chunks) }},
		{"Save", func() error { return newExchanges(pool).Save(ctx, newExchange("")) }},
		{"Begin", claim},
		{"Finish", func() error { return keys.Finish(ctx, tenant.ID, "", "key", &agent.StoredAnswer{Status: 201}) }},
		{"Agents", func() error { _, err := sessions.Agents(ctx, tenant.ID, agent.Page{Limit: 1}); return err }},
	} {
		c.lose(t, step.name, step.call)
	}
	for table, want := range map[string]int{
		"tenants": 1, "users": 2, "logins": 1, "api_keys": 1, "agents": 1, "sessions": 1, "messages": 2, "documents": 1,
		"chunks": len(chunks), "idempotency_keys": 1,
	} {
		if n := count(t, pool, ofTenant(tenant.ID), "SELECT count(*) FROM "+table, nil); n != want {
			t.Errorf("%d rows of %s, want %d", n, table, want)
		}
	}
	if n := count(t, pool, everything, "SELECT count(*) FROM exchanges", nil); n != 1 {
		t.Errorf("%d exchanges, want 1", n)
	}
	got, err := sessions.Message(ctx, tenant.ID, answer.ID)
	if err != nil || got.Content != "Because" {
		t.Errorf("the answer is %+v, error %v", got, err)
	}
	// What was refused before is refused still.
	taken := *member
	taken.ID = newID(t)
	wantProblem(t, accounts.CreateUser(ctx, &taken), "email_taken")
	_, err = keys.Begin(ctx, tenant.ID, "", "key", []byte("other"))
	wantProblem(t, err, "idempotency_key_reused")
	if rotated, err := accounts.RotateLogin(ctx, login.ID, login.TokenHash, []byte("x"), now()); rotated || err != nil {
		t.Errorf("an old token: rotated %t, error %v", rotated, err)
	}

	c.lose(t, "DeleteDocument", func() error { return documents.DeleteDocument(ctx, tenant.ID, document.ID) })
	c.lose(t, "DeleteSession", func() error { return sessions.DeleteSession(ctx, tenant.ID, session.ID) })
	c.lose(t, "DeleteAgent", func() error { return sessions.DeleteAgent(ctx, tenant.ID, assistant.ID) })
	wantProblem(t, sessions.DeleteAgent(ctx, tenant.ID, assistant.ID), "not_found")
	c.lose(t, "RevokeLogin", func() error { return accounts.RevokeLogin(ctx, login.ID) })
}

// TestForgetIsNotRepeated lets a key be claimed anew after it was given up, though nobody knows that it was.
func TestForgetIsNotRepeated(t *testing.T) {
	t.Parallel()
	c := newCutter(t, migrated(t))
	pool := open(t, c.url)
	keys, tenant := NewIdempotency(pool), newTenants(t, pool, 1)[0]
	begin(t, keys, tenant, "", "key")
	c.armed.Store(true)
	wantProblem(t, keys.Forget(t.Context(), tenant, "", "key"), "storage_unavailable")
	begin(t, keys, tenant, "", "key")
}

// lose makes a call whose first transaction is cut off.
func (c *cutter) lose(t *testing.T, name string, call func() error) {
	t.Helper()
	c.cut.Store(false)
	c.armed.Store(true)
	if err := call(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if c.armed.Swap(false) || !c.cut.Load() {
		t.Errorf("%s: no transaction was cut off", name)
	}
}

func TestEndOf(t *testing.T) {
	failure := func(code string) error { return &pgconn.PgError{Code: code} }
	for name, test := range map[string]struct {
		err    error
		closed bool
		want   end
	}{
		"done":                    {nil, false, settled},
		"no row":                  {pgx.ErrNoRows, false, settled},
		"connection lost":         {errors.New("unexpected EOF"), true, unknown},
		"timeout":                 {context.DeadlineExceeded, true, unknown},
		"demoted":                 {failure("25006"), false, undone},
		"deadlock":                {failure("40P01"), false, undone},
		"server stops":            {failure("57P01"), true, unknown},
		"pooler stops":            {failure("08P01"), true, unknown},
		"statement takes long":    {failure("57014"), false, settled},
		"unique":                  {failure("23505"), false, settled},
		"connection is bad input": {failure("08P01"), false, settled},
	} {
		if got := endOf(test.err, test.closed); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
	}
}

// TestRequestsWait stops the server and starts it again, then makes it read-only for a while, as one that was demoted.
func TestRequestsWait(t *testing.T) {
	t.Parallel()
	server := migrated(t)
	pool := open(t, server.URL())
	tenant, sessions := newTenants(t, pool, 1)[0], NewSessions(pool)
	create := func() chan error {
		done := make(chan error, 1)
		go func() { done <- sessions.CreateAgent(t.Context(), tenant, &agent.Agent{ID: newID(t)}) }()
		return done
	}
	waits := func(done chan error) {
		t.Helper()
		select {
		case err := <-done:
			t.Fatalf("did not wait: %v", err)
		case <-time.After(2 * lastPause):
		}
	}
	server.Shutdown(t)
	created := create()
	waits(created)
	gone, cancel := context.WithCancel(t.Context())
	time.AfterFunc(lastPause, cancel)
	began := time.Now()
	_, err := sessions.Agents(gone, tenant, agent.Page{})
	if !errors.Is(err, context.Canceled) || time.Since(began) > patience/2 {
		t.Errorf("a client that went away waited %s: %v", time.Since(began), err)
	}
	server.Start(t)
	check(t, <-created)

	_, err = pool.Exec(t.Context(), "ALTER DATABASE postgres SET default_transaction_read_only = on")
	check(t, err)
	pool.Reset()
	created = create()
	waits(created)
	_, err = pool.Exec(t.Context(),
		"BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT",
		pgx.QueryExecModeSimpleProtocol)
	check(t, err)
	check(t, <-created)
	if n := count(t, pool, ofTenant(tenant), "SELECT count(*) FROM agents", nil); n != 2 {
		t.Errorf("%d agents, want 2", n)
	}
}
