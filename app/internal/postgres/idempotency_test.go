package postgres

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/agent"
)

// begin claims a key, which must be free.
func begin(t *testing.T, store *Idempotency, tenant, scope, key string) {
	t.Helper()
	if answer, err := store.Begin(t.Context(), tenant, scope, key, []byte("fingerprint")); answer != nil || err != nil {
		t.Fatalf("key %q is not free: %v, %v", key, answer, err)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	const scope = "POST /v1/agents"
	eachPath(t, func(t *testing.T, pool *pgxpool.Pool) {
		store, ctx, tenants := NewIdempotency(pool), t.Context(), newTenants(t, pool, 2)
		for _, key := range awkward {
			begin(t, store, tenants[0], scope, key)
			begin(t, store, tenants[1], scope, key)
			begin(t, store, tenants[0], "POST /v1/sessions", key)
			_, err := store.Begin(ctx, tenants[0], scope, key, []byte("fingerprint"))
			wantProblem(t, err, "idempotency_in_progress")
			_, err = store.Begin(ctx, tenants[0], scope, key, []byte("other"))
			wantProblem(t, err, "idempotency_key_reused")
			check(t, store.Forget(ctx, tenants[0], scope, key))
			begin(t, store, tenants[0], scope, key)
			stored := &agent.StoredAnswer{Status: 201, ContentType: "text/plain", Body: []byte("\x00\xff" + key)}
			check(t, store.Finish(ctx, tenants[0], scope, key, stored))
			wantProblem(t, store.Finish(ctx, tenants[0], scope, key, &agent.StoredAnswer{Status: 500}), "not_found")
			check(t, store.Forget(ctx, tenants[0], scope, key))
			answer, err := store.Begin(ctx, tenants[0], scope, key, []byte("fingerprint"))
			check(t, err)
			if answer.Status != 201 || answer.ContentType != "text/plain" || !bytes.Equal(answer.Body, stored.Body) {
				t.Errorf("key %q: got %+v, want %+v", key, answer, stored)
			}
			_, err = store.Begin(ctx, tenants[0], scope, key, []byte("other"))
			wantProblem(t, err, "idempotency_key_reused")
		}
		_, err := store.Begin(ctx, tenants[0], scope, "a\x00b", nil)
		wantProblem(t, err, "invalid_value")
	})
}

func TestIdempotencyKeyIsClaimedOnce(t *testing.T) {
	t.Parallel()
	eachPath(t, func(t *testing.T, pool *pgxpool.Pool) {
		store, tenant := NewIdempotency(pool), newTenants(t, pool, 1)[0]
		var claimed, busy atomic.Int32
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				_, err := store.Begin(t.Context(), tenant, "", "key", []byte("fingerprint"))
				if err == nil {
					claimed.Add(1)
					return
				}
				wantProblem(t, err, "idempotency_in_progress")
				busy.Add(1)
			})
		}
		group.Wait()
		if claimed.Load() != 1 || busy.Load() != 19 {
			t.Errorf("%d claims and %d refusals, want 1 and 19", claimed.Load(), busy.Load())
		}
	})
}

func TestIdempotencyKeyAges(t *testing.T) {
	t.Parallel()
	pool, ctx := open(t, migrated(t).URL()), t.Context()
	store, tenants := NewIdempotency(pool), newTenants(t, pool, 2)
	age := func(tenant string, by time.Duration) {
		t.Helper()
		check(t, change(ctx, pool, ofTenant(tenant), statement{
			sql: `UPDATE idempotency_keys
SET created_at = created_at - @by::interval, locked_until = locked_until - @by::interval`,
			args: pgx.NamedArgs{"by": by},
		}))
	}
	begin(t, store, tenants[0], "", "dead")
	begin(t, store, tenants[0], "", "done")
	check(t, store.Finish(ctx, tenants[0], "", "done", &agent.StoredAnswer{Status: 201}))
	age(tenants[0], claimAge+time.Second)
	begin(t, store, tenants[0], "", "dead")
	if answer, err := store.Begin(ctx, tenants[0], "", "done", []byte("fingerprint")); err != nil || answer == nil {
		t.Errorf("an answer ends with its claim: %v, %v", answer, err)
	}
	age(tenants[0], answerAge)
	answer, err := store.Begin(ctx, tenants[0], "", "done", []byte("other"))
	if answer != nil || err != nil {
		t.Errorf("an answer is kept too long: %v, %v", answer, err)
	}
	rows := func(tenant string) int {
		return count(t, pool, ofTenant(tenant), "SELECT count(*) FROM idempotency_keys", nil)
	}
	for _, key := range []string{"1", "2", "3", "4", "5", "6"} {
		begin(t, store, tenants[1], "", key)
	}
	age(tenants[1], answerAge+time.Second)
	begin(t, store, tenants[1], "", "7")
	first := rows(tenants[1])
	begin(t, store, tenants[1], "", "8")
	if second := rows(tenants[1]); first != 3 || second != 2 {
		t.Errorf("after the first request %d rows, after the second %d, want 3 and 2", first, second)
	}
}
