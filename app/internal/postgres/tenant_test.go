package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/agent"
	"agentstack/app/internal/testenv"
)

// fill stores a row of a new tenant in each table of accounts, and returns the tenant.
func fill(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	accounts, ctx := NewAccounts(pool), t.Context()
	user := newUser(t, pool, "")
	check(t, accounts.CreateLogin(ctx, newLogin(t, user, now().Add(time.Hour))))
	check(t, accounts.CreateKey(ctx, newKey(t, user, "")))
	begin(t, NewIdempotency(pool), user.TenantID, "", "key")
	exchange := newExchange("")
	exchange.TenantID = user.TenantID
	check(t, newExchanges(pool).Save(ctx, exchange))
	return user.TenantID
}

// affected runs hand-written SQL as the owner of the tables.
func affected(t *testing.T, pool *pgxpool.Pool, s scope, sql string, args pgx.NamedArgs) (rows int64, err error) {
	t.Helper()
	q := statement{what: "row", sql: sql, args: args}
	err = run(t.Context(), pool, s, q, func(found pgx.Rows) error {
		found.Close()
		rows = found.CommandTag().RowsAffected()
		return found.Err()
	})
	return rows, err
}

func TestTenantsAreApart(t *testing.T) {
	t.Parallel()
	eachPath(t, func(t *testing.T, pool *pgxpool.Pool) {
		privileged := count(t, pool, everything,
			"SELECT (rolsuper OR rolbypassrls)::int FROM pg_roles WHERE rolname = current_user", nil)
		if privileged != 0 {
			t.Fatal("the role is not bound by row-level security, so this test shows nothing")
		}
		mine, other := fill(t, pool), fill(t, pool)
		for table, column := range map[string]string{
			"tenants": "id", "users": "tenant_id", "logins": "tenant_id", "api_keys": "tenant_id",
			"idempotency_keys": "tenant_id", "exchanges": "tenant_id",
		} {
			for _, sql := range []string{
				"SELECT * FROM %[1]s WHERE %[2]s = @other", "SELECT * FROM %[1]s WHERE %[2]s <> @mine OR %[2]s IS NULL",
				"SELECT * FROM %[1]s WHERE %[2]s = @other FOR UPDATE", "DELETE FROM %[1]s WHERE %[2]s = @other",
				"UPDATE %[1]s SET %[2]s = %[2]s WHERE %[2]s = @other",
				"UPDATE %[1]s SET %[2]s = @mine WHERE %[2]s <> @mine",
			} {
				sql = fmt.Sprintf(sql, table, column)
				rows, err := affected(t, pool, ofTenant(mine), sql, pgx.NamedArgs{"mine": mine, "other": other})
				if rows != 0 || err != nil {
					t.Errorf("%s: %d rows, error %v", sql, rows, err)
				}
			}
			all := "SELECT * FROM " + table
			if rows, err := affected(t, pool, ofTenant(mine), all, nil); rows != 1 || err != nil {
				t.Errorf("%s: %d own rows, error %v", table, rows, err)
			}
			give := fmt.Sprintf("UPDATE %[1]s SET %[2]s = @other", table, column)
			_, err := affected(t, pool, ofTenant(mine), give, pgx.NamedArgs{"other": other})
			if errorClass(err) != "42" {
				t.Errorf("%s: a row is given to another tenant: error %v", table, err)
			}
			if table == "exchanges" {
				continue
			}
			for _, nobody := range []scope{ofTenant(""), ofTenant("x' OR true --"), {"app.other", "on"}} {
				if rows, err := affected(t, pool, nobody, all, nil); rows != 0 || err != nil {
					t.Errorf("%s: %d rows without a tenant, error %v", table, rows, err)
				}
			}
		}
		rows, err := affected(t, pool, everything, "SELECT * FROM exchanges WHERE tenant_id IN (@mine, @other)",
			pgx.NamedArgs{"mine": mine, "other": other})
		if rows != 2 || err != nil {
			t.Errorf("%d exchanges for accounting, want 2, error %v", rows, err)
		}
	})
}

func TestAuthenticationSeesCredentialsOnly(t *testing.T) {
	t.Parallel()
	eachPath(t, func(t *testing.T, pool *pgxpool.Pool) {
		tenants := pgx.NamedArgs{"one": fill(t, pool), "other": fill(t, pool)}
		for sql, want := range map[string]int64{
			"SELECT * FROM users": 2, "SELECT * FROM logins": 2, "SELECT * FROM api_keys": 2,
			"SELECT * FROM idempotency_keys": 0, "UPDATE logins SET revoked_at = now()": 2,
			"UPDATE users SET email = ''": 0, "UPDATE api_keys SET scopes = '{}'": 0,
			"DELETE FROM logins": 0, "DELETE FROM api_keys": 0, "DELETE FROM users": 0,
		} {
			rows, err := affected(t, pool, authentication, sql+" WHERE tenant_id IN (@one, @other)", tenants)
			if rows != want || err != nil {
				t.Errorf("%s: %d rows, want %d, error %v", sql, rows, want, err)
			}
		}
		if n := count(t, pool, authentication, "SELECT count(*) FROM tenants", nil); n != 0 {
			t.Errorf("%d tenants, want none", n)
		}
	})
}

// TestEveryTenantTableIsGuarded holds for tables of later migrations too.
func TestEveryTenantTableIsGuarded(t *testing.T) {
	t.Parallel()
	pool := open(t, migrated(t).URL())
	tables, err := list(t.Context(), pool, everything, statement{sql: `
SELECT relname::text, relrowsecurity AND relforcerowsecurity
	AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid
		AND concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
			!~ 'current_tenant\(\)|is_authentication\(\)')
FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND relname <> 'goose_db_version'
`}, pgx.RowToStructByPos[struct {
		Name    string
		Guarded bool
	}])
	check(t, err)
	for _, table := range tables {
		if !table.Guarded {
			t.Errorf("table %s has no row-level security by tenant", table.Name)
		}
	}
	if len(tables) < 6 {
		t.Errorf("found %d tables only", len(tables))
	}
}

// TestLoginsTakeTurns changes the role of DATABASE_URL, as a rolling update does: both see the same rows of a tenant,
// and neither those of others.
func TestLoginsTakeTurns(t *testing.T) {
	t.Parallel()
	server := migrated(t)
	pooler := testenv.NewPgBouncer(t, server)
	logins := []*pgxpool.Pool{open(t, pooler.URL()), open(t, pooler.URLOf(testenv.OtherLogin))}
	tenant, other := newTenants(t, logins[0], 1)[0], newTenants(t, logins[1], 1)[0]
	for i, pool := range []*pgxpool.Pool{logins[0], logins[1], logins[0]} {
		sessions := NewSessions(pool)
		made := &agent.Agent{ID: newID(t), CreatedAt: now(), UpdatedAt: now()}
		check(t, sessions.CreateAgent(t.Context(), tenant, made))
		agents, err := sessions.Agents(t.Context(), tenant, agent.Page{Limit: 10})
		check(t, err)
		if len(agents) != i+1 {
			t.Errorf("%d agents, want %d", len(agents), i+1)
		}
		check(t, sessions.DeleteAgent(t.Context(), tenant, agents[0].ID))
		check(t, sessions.CreateAgent(t.Context(), tenant, &agents[0]))
		if n := count(t, pool, ofTenant(other), "SELECT count(*) FROM agents", nil); n != 0 {
			t.Errorf("another tenant sees %d agents", n)
		}
		rows, err := affected(t, pool, everything, "SELECT FROM agents", nil)
		if rows != 0 || err != nil {
			t.Errorf("%d agents without a tenant, error %v", rows, err)
		}
	}
	owners, err := list(t.Context(), logins[1], everything, statement{sql: `
		SELECT DISTINCT pg_get_userbyid(relowner)::text
		FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i', 'S')`}, pgx.RowTo[string])
	check(t, err)
	if len(owners) != 1 || owners[0] != testenv.Owner {
		t.Errorf("the tables belong to %v, want %s", owners, testenv.Owner)
	}
}

// TestScopeEnds uses the connection of a scoped transaction again.
func TestScopeEnds(t *testing.T) {
	t.Parallel()
	pool := open(t, migrated(t).URL()+"&pool_max_conns=1")
	tenant := fill(t, pool)
	check(t, change(t.Context(), pool, ofTenant(tenant), statement{sql: "SELECT FROM users"}))
	var left, timeout string
	check(t, pool.QueryRow(t.Context(), "SELECT coalesce(current_setting('app.tenant_id', true), ''), "+
		"current_setting('statement_timeout')").Scan(&left, &timeout))
	if left != "" || timeout != "0" {
		t.Errorf("tenant %q and statement_timeout %s are left", left, timeout)
	}
}

func TestStatementsEnd(t *testing.T) {
	t.Parallel()
	server := migrated(t)
	pool := open(t, server.URL())
	began := time.Now()
	_, err := affected(t, pool, everything, "SELECT pg_sleep(60)", nil)
	wantProblem(t, err, "storage_unavailable")
	if errorClass(err) != "57" || time.Since(began) > transactionTimeout {
		t.Errorf("not ended by the server: %v after %s", err, time.Since(began))
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewAccounts(pool).UserByID(gone, newID(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that is gone: %v", err)
	}
	server.Stop(t)
	began = time.Now()
	_, err = NewAccounts(pool).UserByID(t.Context(), newID(t))
	wantProblem(t, err, "storage_unavailable")
	if waited := time.Since(began); waited < patience/2 || waited > patience+attemptTimeout {
		t.Errorf("a request waited %s for the database", waited)
	}
	impatient, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = NewIdempotency(pool).Begin(impatient, newID(t), "", "", nil)
	wantProblem(t, err, "storage_unavailable")
	err = NewIdempotency(pool).Finish(impatient, newID(t), "", "", &agent.StoredAnswer{})
	wantProblem(t, err, "storage_unavailable")
}
