package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/problem"
)

const (
	// statementTimeout bounds each statement on the server.
	statementTimeout = 5 * time.Second
	// transactionTimeout bounds how long the server waits for the next statement of a transaction.
	transactionTimeout = 10 * time.Second
)

// scope is whose rows a transaction may touch. Policies of row-level security read the setting; without it there are
// no rows. The template of such policies is in migrations/00002_accounts.sql.
type scope struct{ setting, value string }

// authentication is the scope of lookups that find out who the tenant is. Only users, logins and api_keys honour it.
var authentication = scope{"app.authentication", "on"}

// ofTenant is the scope of one tenant's rows. What is no UUID has none.
func ofTenant(id string) scope {
	if checkID("tenant", id) != nil {
		id = ""
	}
	return scope{"app.tenant_id", id}
}

// statement is SQL for one transaction of its own. IDs of clients go through checkID first.
type statement struct {
	what string // what a row is, for people: "API key"
	sql  string
	args pgx.NamedArgs
	// spent says that the statement touches no row the second time: an insert with ON CONFLICT on the id that its
	// caller made, or a deletion. None then means that it is done, and if a row to delete never was, it is not there
	// either.
	spent bool
	// once forbids to repeat an attempt whose end is not known.
	once bool
	// refused says what a violated constraint means, by the constraint's name.
	refused map[string]*problem.Error
}

// settings makes the scope and the timeouts hold for the rest of the transaction, and not a moment longer: the same
// connection serves another client of PgBouncer next.
//
// When an earlier attempt may have been committed, the transaction also writes a record of its own to the log. That
// attempt may have been cut off while it waited for a replica: it is committed then, but lost with the primary. If
// nothing else is left to be written, this commit would not wait for a replica either, and what nobody has confirmed
// would be reported as done.
func (s scope) settings(again bool) (sql string, args []any) {
	milliseconds := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	return `SELECT set_config($1, $2, true), set_config('statement_timeout', $3, true),
		set_config('idle_in_transaction_session_timeout', $4, true),
		CASE WHEN $5::boolean AND NOT pg_is_in_recovery() THEN pg_logical_emit_message(true, 'agentd', '') END`,
		[]any{s.setting, s.value, milliseconds(statementTimeout), milliseconds(transactionTimeout), again}
}

// list returns all rows of a statement.
func list[T any](ctx context.Context, pool *pgxpool.Pool, s scope, q statement, scan pgx.RowToFunc[T]) ([]T, error) {
	var found []T
	err := run(ctx, pool, s, q, func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, scan)
		return err
	})
	return found, err
}

// one returns the one row of a statement, or problem.NotFound.
func one[T any](ctx context.Context, pool *pgxpool.Pool, s scope, q statement, scan pgx.RowToFunc[T]) (*T, error) {
	var found T
	err := run(ctx, pool, s, q, func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectOneRow(rows, scan)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &found, nil
}

// byID returns the row of a tenant whose id the statement has as @id, or problem.NotFound.
func byID[T any](
	ctx context.Context, pool *pgxpool.Pool, tenant, what, id, sql string, scan pgx.RowToFunc[T],
) (*T, error) {
	if err := checkID(what, id); err != nil {
		return nil, err
	}
	return one(ctx, pool, ofTenant(tenant), statement{what: what, sql: sql, args: pgx.NamedArgs{"id": id}}, scan)
}

// change runs a statement that must touch a row; otherwise it fails with problem.NotFound.
func change(ctx context.Context, pool *pgxpool.Pool, s scope, q statement) error {
	return pipeline(ctx, pool, s, q, func(batch *pgx.Batch, again bool) {
		batch.Queue(q.sql, q.args).Query(touched(again && q.spent))
	})
}

// run sends settings and statement at once.
func run(ctx context.Context, pool *pgxpool.Pool, s scope, q statement, read func(pgx.Rows) error) error {
	return pipeline(ctx, pool, s, q, func(batch *pgx.Batch, _ bool) { batch.Queue(q.sql, q.args).Query(read) })
}

// explain turns what a client may know into a problem.
func (q statement) explain(err error) error {
	var known *problem.Error
	var failure *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, pgx.ErrNoRows):
		return problem.Missing(q.what)
	case isTemporary(err):
		return &problem.Error{
			Kind: problem.Unavailable, Code: "storage_unavailable", Message: "Storage is unavailable.",
			RetryAfter: time.Second, Err: fmt.Errorf("access %s: %w", q.what, err),
		}
	case errors.As(err, &failure) && q.refused[failure.ConstraintName] != nil:
		return q.refused[failure.ConstraintName]
	case isDataException(err):
		return &problem.Error{
			Kind: problem.Invalid, Code: "invalid_value", Message: "The request has a value that cannot be stored.",
			Err: fmt.Errorf("access %s: %w", q.what, err),
		}
	default:
		return fmt.Errorf("access %s: %w", q.what, err)
	}
}

// checkID refuses what is not a UUID in its standard form: there is no such thing.
func checkID(what, id string) error {
	if len(id) != 36 || uuid.Validate(id) != nil {
		return problem.Missing(what)
	}
	return nil
}
