package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// patience is how long a request waits for a database that is away: the loss of the primary takes about 10 s, and
	// up to 30 s where the machines are busy. The pool of connections gives up after as long.
	patience = 30 * time.Second
	// attemptTimeout bounds one attempt, from the wait for a connection on, so that a server that is gone without a
	// word leaves time for another. It is longer than statementTimeout, so that a server that is slow says so.
	attemptTimeout = 7 * time.Second
	// Pauses double from the first to the last, each by chance down to half of it.
	firstPause = 20 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// end is how an attempt ended.
type end int

const (
	settled end = iota // for good, well or not
	undone             // the database has nothing of it
	unknown            // it may have been committed
)

// attempt is one transaction. Again says that an earlier attempt may have been committed.
type attempt func(ctx context.Context, connection *pgxpool.Conn, again bool) error

// retry makes attempts until one ends for good, the database was away for too long, or ctx ends. All transactions can
// be repeated after an end that is not known: rows have ids that the caller made, so an insert meets its own row;
// changes and deletions come to the same when they are made twice. The exception has statement.once.
func (q statement) retry(ctx context.Context, pool *pgxpool.Pool, timeout time.Duration, do attempt) error {
	ctx, cancel := context.WithTimeout(ctx, max(patience, timeout))
	defer cancel()
	var giveUp time.Time
	again := false
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		ended, err := try(ctx, pool, timeout, do, again)
		if ended == settled || ended == unknown && q.once {
			return q.explain(err)
		}
		again = again || ended == unknown
		if giveUp.IsZero() {
			giveUp = time.Now().Add(patience)
		}
		wait := pause/2 + rand.N(pause/2)
		if time.Now().Add(wait).After(giveUp) {
			return q.explain(err)
		}
		select {
		case <-ctx.Done():
			return q.explain(fmt.Errorf("%w; last attempt: %w", ctx.Err(), err))
		case <-time.After(wait):
		}
	}
}

// try makes one attempt. Connections to a server that went away or does not take writes any more are given up.
func try(ctx context.Context, pool *pgxpool.Pool, timeout time.Duration, do attempt, again bool) (end, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	connection, err := pool.Acquire(ctx)
	if err != nil {
		if isTemporary(err) {
			return undone, err
		}
		return settled, err
	}
	defer connection.Release()
	err = do(ctx, connection, again)
	ended := endOf(err, connection.Conn().IsClosed())
	if ended == unknown || errorClass(err) == "25" {
		pool.Reset()
	}
	return ended, err
}

// endOf judges by the error and whether it cost the connection. PgBouncer breaks connections off with class 08, also
// while a query has waited in vain and was not begun; that is not told apart.
func endOf(err error, closed bool) end {
	var failure *pgconn.PgError
	switch {
	case err == nil:
		return settled
	case !errors.As(err, &failure):
		// Whatever leaves the connection as it is happened here: no row, or a value that cannot be encoded. Else it is
		// unknown, whatever pgconn.SafeToRetry says: when a connection breaks off within a batch, pgx reports the next
		// use of it as closed, which is safe to repeat by itself.
		if !closed {
			return settled
		}
		return unknown
	}
	switch failure.Code {
	case "25006", "40001", "40P01": // read-only, as a primary that was demoted; serialization; deadlock
		return undone
	}
	switch errorClass(err) {
	case "08", "53", "57": // a server or pooler that stops or starts, or has no connection left
		if closed {
			return unknown
		}
	}
	return settled // such as a statement that took too long: it would again
}
