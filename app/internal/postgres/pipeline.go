package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/problem"
)

// pipeline sends several statements at once, for those which need no result of one another. They are one
// implicit transaction, as in run.
func pipeline(ctx context.Context, pool *pgxpool.Pool, s scope, q statement, queue func(*pgx.Batch)) error {
	ctx, cancel := context.WithTimeout(ctx, transactionTimeout)
	defer cancel()
	batch := &pgx.Batch{}
	sql, args := s.settings()
	batch.Queue(sql, args...)
	queue(batch)
	return q.explain(pool.SendBatch(ctx, batch).Close())
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
