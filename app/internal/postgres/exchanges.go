package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/agent"
)

const (
	// insertTimeout bounds one attempt to save, so that a connection to a dead node is given up in time.
	insertTimeout = 3 * time.Second
	// retryPause is the time between two attempts.
	retryPause = 200 * time.Millisecond
)

// errEncode means that a request is no JSON.
var errEncode = errors.New("encode exchanges")

// Exchanges is an agent.ExchangeStore in the table of the same name.
type Exchanges struct {
	pool   *pgxpool.Pool
	region string
	probe  *agent.Probe
	queue  queue
}

// NewExchanges returns a store that writes rows of the given region.
func NewExchanges(pool *pgxpool.Pool, region string, log *slog.Logger) *Exchanges {
	store := &Exchanges{pool: pool, region: region}
	store.probe = agent.NewProbe("database", log, store.check)
	store.queue.insert = store.insert
	return store
}

// Ready implements agent.ExchangeStore. It waits for a database that is away, as every transaction does.
func (e *Exchanges) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := e.probe.Check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(lastPause/2 + rand.N(lastPause/2)):
		}
	}
}

// Probe tells at once whether rows can be written.
func (e *Exchanges) Probe(ctx context.Context) error { return e.probe.Check(ctx) }

// check finds out whether rows can be written. After a failover the pool may hold connections to a dead
// or demoted server; they are given up, so that the next check finds the new primary.
func (e *Exchanges) check(ctx context.Context) error {
	const query = `SELECT pg_is_in_recovery(), to_regclass('exchanges') IS NOT NULL`
	var readOnly, migrated bool
	err := e.pool.QueryRow(ctx, query).Scan(&readOnly, &migrated)
	switch {
	case err != nil:
		err = fmt.Errorf("query database: %w", err)
	case readOnly:
		err = errors.New("database is read-only")
	case !migrated:
		return errors.New("database is not migrated: run agentd migrate")
	default:
		return nil
	}
	e.pool.Reset()
	return err
}

// Save implements agent.ExchangeStore. It tries again until ctx ends, since a failover of the database takes seconds;
// the id makes that safe. Exchanges that are saved at the same time share a transaction.
func (e *Exchanges) Save(ctx context.Context, exchange *agent.Exchange) error {
	row, err := newRow(exchange)
	if err != nil {
		return err
	}
	var last error
	for {
		err := e.queue.write(ctx, row)
		switch {
		case err == nil || !isTemporary(err):
			return err
		case ctx.Err() != nil:
			return errors.Join(err, last)
		}
		last = err
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		case <-time.After(retryPause):
		}
	}
}

// Close waits for exchanges whose callers have gone. Call it after the last Save.
func (e *Exchanges) Close() { e.queue.writers.Wait() }

// insert writes rows in one transaction. A row that the database refuses does not fail the others.
func (e *Exchanges) insert(ctx context.Context, rows []*row) {
	err := e.attempt(ctx, rows)
	switch {
	case err == nil || !errors.Is(err, errEncode) && isTemporary(err):
		if err != nil {
			e.pool.Reset()
		}
		for _, row := range rows {
			row.written <- err
		}
	case len(rows) > 1:
		half := len(rows) / 2
		e.insert(ctx, rows[:half])
		e.insert(ctx, rows[half:])
	case (errors.Is(err, errEncode) || isDataException(err)) && rows[0].wrapRequest():
		e.insert(ctx, rows)
	default:
		rows[0].written <- err
	}
}

func (e *Exchanges) attempt(ctx context.Context, rows []*row) error {
	ctx, cancel := context.WithTimeout(ctx, insertTimeout)
	defer cancel()
	encoded, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("%w: %w", errEncode, err)
	}
	if _, err := e.pool.Exec(ctx, insertExchanges, string(encoded), e.region); err != nil {
		return fmt.Errorf("insert exchange: %w", err)
	}
	return nil
}

// isDataException covers values that jsonb cannot hold (class 22) and nesting too deep for it (class 54).
func isDataException(err error) bool {
	class := errorClass(err)
	return class == "22" || class == "54"
}

// isTemporary says that the same statement may succeed later: the server is not reachable, starting, stopping,
// out of connections, or no longer the primary.
func isTemporary(err error) bool {
	switch errorClass(err) {
	case "", "08", "25", "40", "53", "57":
		return true
	default:
		return false
	}
}

// errorClass returns the SQLSTATE class, or nothing when the error is not from the server.
func errorClass(err error) string {
	var failure *pgconn.PgError
	if !errors.As(err, &failure) || len(failure.Code) < 2 {
		return ""
	}
	return failure.Code[:2]
}
