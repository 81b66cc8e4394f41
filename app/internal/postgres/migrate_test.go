package postgres

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"agentstack/app/internal/testenv"
)

// insertBefore is how the version before tenants stores an exchange.
const insertBefore = `
INSERT INTO exchanges (id, created_at, duration_ms, request_id, region, model, answer_model, streamed, cached,
                       status, error, finish_reason, prompt_tokens, completion_tokens, request, response)
VALUES (@id, now(), 1, '', '', '', '', false, false, 'failed', '', '', NULL, NULL, '{}', '')
ON CONFLICT (id) DO NOTHING`

// log is what Migrate says, to be read while it runs.
type log struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *log) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(line)
}

func (l *log) count(message string) int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return strings.Count(l.text.String(), message)
}

// migrateInBackground migrates and reports the result.
func migrateInBackground(t *testing.T, server *testenv.Postgres, l *log) chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		done <- Migrate(t.Context(), server.OwnerURL("postgres"), slog.New(slog.NewTextHandler(l, nil)))
	}()
	return done
}

// at returns a pool on a server with the schema of an earlier version.
func at(t *testing.T, version int64) (*testenv.Postgres, *pgxpool.Pool) {
	t.Helper()
	server := testenv.NewPostgres(t)
	config, err := pgx.ParseConfig(server.OwnerURL("postgres"))
	check(t, err)
	db := stdlib.OpenDB(*config)
	defer db.Close()
	provider, err := newProvider(db)
	check(t, err)
	_, err = provider.UpTo(t.Context(), version)
	check(t, err)
	return server, open(t, server.URL())
}

func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	server, output := testenv.NewPostgres(t), &log{}
	var runs []chan error
	for range 4 {
		runs = append(runs, migrateInBackground(t, server, output))
	}
	for _, done := range runs {
		check(t, <-done)
	}
	files, err := migrations.ReadDir("migrations")
	check(t, err)
	if applied := output.count("msg=migrated"); applied != len(files) {
		t.Errorf("%d migrations were applied, want each of %d once", applied, len(files))
	}
	check(t, <-migrateInBackground(t, server, output))
	if applied := output.count("msg=migrated"); applied != len(files) {
		t.Errorf("a second run applied %d migrations", applied-len(files))
	}
}

// TestVersionBeforeRunsOn stores exchanges as the version before, while the schema is new already.
func TestVersionBeforeRunsOn(t *testing.T) {
	t.Parallel()
	server, pool := at(t, 1)
	insert := func(id string) {
		t.Helper()
		_, err := pool.Exec(t.Context(), insertBefore, pgx.NamedArgs{"id": id})
		check(t, err)
	}
	before, after := newID(t), newID(t)
	insert(before)
	check(t, <-migrateInBackground(t, server, &log{}))
	for _, id := range []string{before, after, after} {
		insert(id)
	}
	if n := count(t, pool, everything, "SELECT count(*) FROM exchanges WHERE tenant_id IS NULL", nil); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
	if n := count(t, pool, ofTenant(newID(t)), "SELECT count(*) FROM exchanges", nil); n != 0 {
		t.Errorf("a tenant sees %d rows of no tenant", n)
	}
}

// TestMigrateLetsOthersPass holds a lock on a table for longer than Migrate waits for it at once.
func TestMigrateLetsOthersPass(t *testing.T) {
	t.Parallel()
	server, pool := at(t, 1)
	long, err := pool.Begin(t.Context())
	check(t, err)
	defer func() { _ = long.Rollback(context.Background()) }()
	_, err = long.Exec(t.Context(), "SELECT * FROM exchanges")
	check(t, err)
	output := &log{}
	done := migrateInBackground(t, server, output)
	for range 2 {
		began := time.Now()
		_, err = pool.Exec(t.Context(), insertBefore, pgx.NamedArgs{"id": newID(t)})
		check(t, err)
		if waited := time.Since(began); waited > lockTimeout+time.Second {
			t.Errorf("an insert waited for %s", waited)
		}
		seen := output.count("waiting for a lock")
		eventually(t, "migrate gives up for now", func() bool { return output.count("waiting for a lock") > seen })
	}
	check(t, long.Commit(t.Context()))
	check(t, <-done)
}

// TestMigrateRepairsIndex finds what an attempt left that was cut off.
func TestMigrateRepairsIndex(t *testing.T) {
	t.Parallel()
	server, pool := at(t, 2)
	_, err := pool.Exec(t.Context(), "CREATE INDEX exchanges_tenant_id_id_idx ON exchanges (status)")
	check(t, err)
	check(t, <-migrateInBackground(t, server, &log{}))
	n := count(t, pool, everything, `
SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid = 'exchanges_tenant_id_id_idx'::regclass
	AND pg_get_indexdef(indexrelid) LIKE '%(tenant_id, id)'`, nil)
	if n != 1 {
		t.Error("the index is not as it must be")
	}
}
