package postgres

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/internal/testenv"
	"agentstack/app/problem"
)

// eachPath runs a test on a migrated server, directly and through PgBouncer, as a member of the role
// that owns the tables.
func eachPath(t *testing.T, test func(*testing.T, *pgxpool.Pool)) {
	t.Helper()
	server := migrated(t)
	paths := map[string]string{"direct": server.URL(), "PgBouncer": testenv.NewPgBouncer(t, server).URL()}
	for path, url := range paths {
		t.Run(path, func(t *testing.T) { test(t, open(t, url)) })
	}
}

func migrated(t *testing.T) *testenv.Postgres {
	t.Helper()
	server := testenv.NewPostgres(t)
	if err := Migrate(t.Context(), server.OwnerURL("postgres"), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return server
}

func open(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := NewPool(url, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// newTenants stores n tenants.
func newTenants(t *testing.T, pool *pgxpool.Pool, n int) []string {
	t.Helper()
	var tenants []string
	for range n {
		id := newID(t)
		tenants = append(tenants, id)
		check(t, change(t.Context(), pool, ofTenant(id), statement{
			what: "tenant", args: pgx.NamedArgs{"id": id},
			sql: `INSERT INTO tenants (id, name, created_at) VALUES (@id::uuid, 'Tenant', now())`,
		}))
	}
	return tenants
}

func newID(t *testing.T) string {
	t.Helper()
	id, err := uuid.NewV7()
	check(t, err)
	return id.String()
}

// now has the precision that the database keeps.
func now() time.Time { return time.Now().Truncate(time.Microsecond) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantProblem fails unless err is a problem of that code.
func wantProblem(t *testing.T, err error, code string) {
	t.Helper()
	var known *problem.Error
	if !errors.As(err, &known) || known.Code != code {
		t.Errorf("got error %v, want problem %s", err, code)
	}
}

// count runs a query of one number in a tenant's scope, by hand.
func count(t *testing.T, pool *pgxpool.Pool, s scope, sql string, args pgx.NamedArgs) int {
	t.Helper()
	n, err := one(t.Context(), pool, s, statement{what: "row", sql: sql, args: args}, pgx.RowTo[int])
	check(t, err)
	return *n
}

// attack is SQL of one tenant on rows of another, and how it fails: by SQLSTATE, or by touching no row.
type attack struct{ sql, want string }

const (
	byPolicy    = "42501"
	byReference = "23503"
	noRow       = "not_found"
)

func wantRefused(t *testing.T, pool *pgxpool.Pool, tenant string, attacks map[string]attack, args pgx.NamedArgs) {
	t.Helper()
	for name, attack := range attacks {
		err := change(t.Context(), pool, ofTenant(tenant), statement{what: "row", sql: attack.sql, args: args})
		var failure *pgconn.PgError
		if attack.want == noRow {
			wantProblem(t, err, noRow)
		} else if !errors.As(err, &failure) || failure.Code != attack.want {
			t.Errorf("%s: got %v, want %s", name, err, attack.want)
		}
	}
}

// awkward are texts that must come back as they were.
var awkward = []string{
	`'; DROP TABLE messages; --`, `$1 @id {"a": null} \' \\ %s`, "line\nbreak\ttab\r", "Grüße, 世界 🙂", `{"}`,
	`NULL`, ``,
}
