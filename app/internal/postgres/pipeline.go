package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/problem"
)

// pipeline sends several statements at once, for those which need no result of one another. They are one
// implicit transaction, as in run. When it is repeated, queue is called again.
func pipeline(
	ctx context.Context, pool *pgxpool.Pool, s scope, q statement, queue func(batch *pgx.Batch, again bool),
) error {
	do := func(ctx context.Context, connection *pgxpool.Conn, again bool) error {
		batch := &pgx.Batch{}
		sql, args := s.settings(again)
		batch.Queue(sql, args...)
		queue(batch, again)
		return connection.SendBatch(ctx, batch).Close()
	}
	return q.retry(ctx, pool, attemptTimeout, do)
}

// touched reads the end of a statement that must touch a row, unless an earlier attempt may have done so.
func touched(before bool) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		rows.Close()
		if rows.Err() == nil && rows.CommandTag().RowsAffected() == 0 && !before {
			return pgx.ErrNoRows
		}
		return rows.Err()
	}
}

// cursor makes a bound for ids out of the id of the last item of the page before.
func cursor(before string) (string, error) {
	if before == "" {
		return uuid.Max.String(), nil
	}
	if checkID("item", before) != nil {
		return "", problem.InvalidField("after", "This is not a cursor that a list gave.")
	}
	return before, nil
}
