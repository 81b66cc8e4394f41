package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/agent"
)

// everything is the scope of exchanges without a tenant.
var everything = ofTenant("")

func newExchanges(pool *pgxpool.Pool) *Exchanges {
	return NewExchanges(pool, "local-1", slog.New(slog.DiscardHandler))
}

func newExchange(text string) *agent.Exchange {
	return &agent.Exchange{
		StartedAt: now(), Duration: 1500 * time.Millisecond, RequestID: text, Model: text,
		Status: agent.StatusFailed, Error: text, Request: json.RawMessage(`{}`),
		Answer: agent.Answer{Model: text, Text: text, FinishReason: text},
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func TestExchangesKeepText(t *testing.T) {
	t.Parallel()
	broken := map[string]string{"a\x00b": "a\uFFFDb", "a\xffb": "a\uFFFDb"}
	for _, text := range awkward {
		broken[text] = text
	}
	eachPath(t, func(t *testing.T, pool *pgxpool.Pool) {
		store, ctx := newExchanges(pool), t.Context()
		for text, want := range broken {
			exchange := newExchange(text)
			exchange.TenantID, exchange.KeyID = newID(t), newID(t)
			exchange.Answer.Usage = &agent.Usage{PromptTokens: 3, CompletionTokens: 5}
			exchange.Request, _ = json.Marshal(map[string]string{"text": text})
			check(t, store.Save(ctx, exchange))
			found, err := one(ctx, pool, ofTenant(exchange.TenantID), statement{sql: `
SELECT row_to_json(x)::text FROM (SELECT tenant_id, key_id, duration_ms, request_id, region, model, answer_model, error,
	finish_reason, prompt_tokens, completion_tokens, response, created_at = @created_at AS same FROM exchanges) x`,
				args: pgx.NamedArgs{"created_at": exchange.StartedAt}}, pgx.RowTo[string])
			check(t, err)
			text, _ := json.Marshal(want)
			expected := fmt.Sprintf(`{"tenant_id":%q,"key_id":%q,"duration_ms":1500,"request_id":%[3]s,`+
				`"region":"local-1","model":%[3]s,"answer_model":%[3]s,"error":%[3]s,"finish_reason":%[3]s,`+
				`"prompt_tokens":3,"completion_tokens":5,"response":%[3]s,"same":true}`,
				exchange.TenantID, exchange.KeyID, text)
			if *found != expected {
				t.Errorf("got  %s\nwant %s", *found, expected)
			}
		}
	})
}

func TestExchangesKeepRequests(t *testing.T) {
	t.Parallel()
	pool := open(t, migrated(t).URL())
	store := newExchanges(pool)
	for name, test := range map[string]struct{ request, kind, text string }{
		"object":        {`{"a": [1, null, "\"\\"]}`, "object", `{"a": [1, null, "\"\\"]}`},
		"zero":          {`{"a":"\u0000"}`, "string", `{"a":"\u0000"}`},
		"surrogate":     {`{"a":"\ud800"}`, "string", `{"a":"\ud800"}`},
		"invalid UTF-8": {"{\"a\":\"\xff\"}", "string", "{\"a\":\"\uFFFD\"}"},
		"not JSON":      {`{`, "string", `{`},
		"nothing":       {``, "string", ``},
		"big number":    {`{"a":1e400000}`, "string", `{"a":1e400000}`},
	} {
		exchange := newExchange(name)
		exchange.Request = json.RawMessage(test.request)
		check(t, store.Save(t.Context(), exchange))
		found, err := one(t.Context(), pool, everything, statement{
			sql: `
SELECT jsonb_typeof(request), CASE jsonb_typeof(request) WHEN 'string' THEN request #>> '{}' ELSE request::text END
FROM exchanges WHERE request_id = @name AND tenant_id IS NULL AND key_id IS NULL AND prompt_tokens IS NULL`,
			args: pgx.NamedArgs{"name": name},
		}, pgx.RowToStructByPos[struct{ Kind, Text string }])
		check(t, err)
		if found.Kind != test.kind || found.Text != test.text {
			t.Errorf("%s: got %s %s, want %s %s", name, found.Kind, found.Text, test.kind, test.text)
		}
	}
}

// lockExchanges keeps others from inserting until the transaction ends, at the latest with the test.
func lockExchanges(t *testing.T, pool *pgxpool.Pool) pgx.Tx {
	t.Helper()
	lock, err := pool.Begin(t.Context())
	check(t, err)
	t.Cleanup(func() { _ = lock.Rollback(context.Background()) })
	_, err = lock.Exec(t.Context(), "LOCK TABLE exchanges IN EXCLUSIVE MODE")
	check(t, err)
	return lock
}

// TestExchangesShareTransactions holds the table, so that all but the first rows wait together, the bad among the good.
func TestExchangesShareTransactions(t *testing.T) {
	t.Parallel()
	pool, ctx := open(t, migrated(t).URL()), t.Context()
	store := newExchanges(pool)
	lock := lockExchanges(t, pool)
	const good = 150
	refused := make([]error, good)
	var group sync.WaitGroup
	for i := range good {
		group.Go(func() {
			if err := store.Save(ctx, newExchange(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
		if i%50 == 49 {
			group.Go(func() {
				bad := newExchange("bad")
				bad.Status = "unheard of"
				refused[i] = store.Save(ctx, bad)
			})
			group.Go(func() {
				wrapped := newExchange("wrapped")
				wrapped.Request = json.RawMessage(`"\u0000"`)
				if err := store.Save(ctx, wrapped); err != nil {
					t.Error(err)
				}
			})
		}
	}
	eventually(t, "most wait", func() bool {
		store.queue.mutex.Lock()
		defer store.queue.mutex.Unlock()
		return len(store.queue.waiting) >= good/2
	})
	check(t, lock.Commit(ctx))
	group.Wait()
	for _, i := range []int{49, 99, 149} {
		if errorClass(refused[i]) != "23" {
			t.Errorf("bad row: error %v, want a violated constraint", refused[i])
		}
	}
	rows := count(t, pool, everything, "SELECT count(*) FROM exchanges", nil)
	transactions := count(t, pool, everything, "SELECT count(DISTINCT xmin::text) FROM exchanges", nil)
	if rows != good+3 || transactions > rows/2 {
		t.Errorf("%d rows in %d transactions, want %d rows in far fewer", rows, transactions, good+3)
	}
}

func TestExchangesOutliveFailures(t *testing.T) {
	t.Parallel()
	server := migrated(t)
	pool, ctx := open(t, server.URL()), t.Context()
	store := newExchanges(pool)
	check(t, store.Save(ctx, newExchange("before")))
	save := func(name string) chan error {
		saved := make(chan error, 1)
		go func() { saved <- store.Save(ctx, newExchange(name)) }()
		return saved
	}
	server.Stop(t)
	saved := save("stopped")
	impatient, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := store.Save(impatient, newExchange("late")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no database: error %v, want the deadline", err)
	}
	if err := store.check(ctx); err == nil {
		t.Error("ready without a database")
	}
	server.Start(t)
	check(t, <-saved)
	check(t, store.check(ctx))
	// A server that was demoted refuses to write, and its connections stay open.
	_, err := pool.Exec(ctx, "ALTER DATABASE postgres SET default_transaction_read_only = on")
	check(t, err)
	pool.Reset()
	saved = save("read-only")
	select {
	case err := <-saved:
		t.Fatalf("a read-only server: %v", err)
	case <-time.After(3 * retryPause):
	}
	_, err = pool.Exec(ctx, "BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT",
		pgx.QueryExecModeSimpleProtocol)
	check(t, err)
	check(t, <-saved)
	if n := count(t, pool, everything, "SELECT count(*) FROM exchanges WHERE request_id <> 'late'", nil); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}

func TestExchangesOutliveCallers(t *testing.T) {
	t.Parallel()
	pool, ctx := open(t, migrated(t).URL()), t.Context()
	store := newExchanges(pool)
	lock := lockExchanges(t, pool)
	gone, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := store.Save(gone, newExchange("gone")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the deadline", err)
	}
	check(t, lock.Commit(ctx))
	store.Close()
	if n := count(t, pool, everything, "SELECT count(*) FROM exchanges", nil); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}
