package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/agent"
	"agentstack/app/problem"
)

const (
	// answerAge is how long answers are kept.
	answerAge = 24 * time.Hour
	// claimAge is when a claim is taken for one of a process that died. It is longer than any request may last.
	claimAge = 10 * time.Minute
	// retryClaimed is when a client may ask again for an answer that is being made.
	retryClaimed = time.Second
)

// Idempotency is an agent.IdempotencyStore.
type Idempotency struct{ pool *pgxpool.Pool }

// NewIdempotency returns a store of answers by idempotency key.
func NewIdempotency(pool *pgxpool.Pool) *Idempotency { return &Idempotency{pool} }

var _ agent.IdempotencyStore = (*Idempotency)(nil)

// claimKey inserts a key, or takes over one that is too old, or its own when it is repeated. It is the only one of the
// three statements that waits for other transactions, so it comes first: then none of them can wait for this one in
// turn.
const claimKey = `
INSERT INTO idempotency_keys AS k (tenant_id, scope, key, fingerprint, claim, created_at, locked_until)
VALUES (@tenant_id, @scope, @key, @fingerprint, @claim, now(), now() + @claim_age::interval)
ON CONFLICT (tenant_id, scope, key) DO UPDATE
SET fingerprint = excluded.fingerprint, claim = excluded.claim, created_at = excluded.created_at,
	locked_until = excluded.locked_until, status = NULL, content_type = NULL, body = NULL
WHERE k.created_at < now() - @answer_age::interval
	OR (k.status IS NULL AND (k.locked_until < now() OR k.claim = excluded.claim))`

const selectKeyState = `
SELECT fingerprint, status, content_type, body FROM idempotency_keys
WHERE tenant_id = @tenant_id AND scope = @scope AND key = @key`

// removeExpired keeps pace with any rate of new keys, as each call adds one row at most.
const removeExpired = `
DELETE FROM idempotency_keys k
USING (SELECT scope, key FROM idempotency_keys
	WHERE tenant_id = @tenant_id AND created_at < now() - @answer_age::interval
	ORDER BY created_at LIMIT 4 FOR UPDATE SKIP LOCKED) expired
WHERE k.tenant_id = @tenant_id AND k.scope = expired.scope AND k.key = expired.key`

// Begin implements agent.IdempotencyStore. It also removes a few of the tenant's keys that have expired.
func (i *Idempotency) Begin(
	ctx context.Context, tenant, scope, key string, fingerprint []byte,
) (*agent.StoredAnswer, error) {
	claim, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make claim: %w", err)
	}
	args := keyArguments(tenant, scope, key)
	args["claim"] = claim.String()
	args["fingerprint"], args["claim_age"], args["answer_age"] = fingerprint, claimAge, answerAge
	claimed, found := false, keyState{}
	err = pipeline(ctx, i.pool, ofTenant(tenant), keyStatement(""), func(batch *pgx.Batch, _ bool) {
		batch.Queue(claimKey, args).Query(func(rows pgx.Rows) error {
			rows.Close()
			claimed = rows.CommandTag().RowsAffected() == 1
			return rows.Err()
		})
		batch.Queue(selectKeyState, args).Query(func(rows pgx.Rows) (err error) {
			found, err = pgx.CollectOneRow(rows, pgx.RowToStructByPos[keyState])
			if errors.Is(err, pgx.ErrNoRows) { // forgotten since the first statement looked
				return nil
			}
			return err
		})
		batch.Queue(removeExpired, args)
	})
	switch {
	case err != nil:
		return nil, err
	case claimed:
		return nil, nil
	case found.Fingerprint != nil && !bytes.Equal(found.Fingerprint, fingerprint):
		return nil, &problem.Error{
			Kind: problem.Unprocessable, Code: "idempotency_key_reused", Param: "Idempotency-Key",
			Message: "This key was used for another request.",
		}
	case found.Status == nil:
		return nil, &problem.Error{
			Kind: problem.Conflict, Code: "idempotency_in_progress", Param: "Idempotency-Key",
			Message: "A request with this key is still running.", RetryAfter: retryClaimed,
		}
	default:
		return &agent.StoredAnswer{Status: *found.Status, ContentType: *found.ContentType, Body: found.Body}, nil
	}
}

// Finish implements agent.IdempotencyStore. The first answer to a key stays. When the claim is lost, that is a
// problem.NotFound.
func (i *Idempotency) Finish(ctx context.Context, tenant, scope, key string, answer *agent.StoredAnswer) error {
	q := keyStatement(`
UPDATE idempotency_keys SET status = @status, content_type = @content_type, body = @body
WHERE tenant_id = @tenant_id AND scope = @scope AND key = @key AND status IS NULL`)
	q.spent, q.args = true, keyArguments(tenant, scope, key)
	q.args["status"], q.args["content_type"], q.args["body"] = answer.Status, answer.ContentType, answer.Body
	return change(ctx, i.pool, ofTenant(tenant), q)
}

// Forget implements agent.IdempotencyStore. An answer that is stored stays. If it was done, another request may hold
// the key by now, so it is not repeated after an end that is not known: then the claim ends by its age.
func (i *Idempotency) Forget(ctx context.Context, tenant, scope, key string) error {
	q := keyStatement(`
DELETE FROM idempotency_keys WHERE tenant_id = @tenant_id AND scope = @scope AND key = @key AND status IS NULL`)
	q.once, q.args = true, keyArguments(tenant, scope, key)
	return run(ctx, i.pool, ofTenant(tenant), q, func(rows pgx.Rows) error {
		rows.Close()
		return rows.Err()
	})
}

// keyState is a row as selectKeyState returns it.
type keyState struct {
	Fingerprint []byte
	Status      *int
	ContentType *string
	Body        []byte
}

func keyStatement(sql string) statement { return statement{what: "idempotency key", sql: sql} }

func keyArguments(tenant, scope, key string) pgx.NamedArgs {
	return pgx.NamedArgs{"tenant_id": tenant, "scope": scope, "key": key}
}
