package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/agent"
)

const (
	// attemptTimeout bounds one attempt to save, so that a connection to a dead node is given up in time.
	attemptTimeout = 3 * time.Second
	// retryPause is the time between two attempts.
	retryPause = 200 * time.Millisecond
)

// Exchanges is an agent.ExchangeStore in the table of the same name.
type Exchanges struct {
	pool   *pgxpool.Pool
	region string
	probe  *agent.Probe
}

// NewExchanges returns a store that writes rows of the given region.
func NewExchanges(pool *pgxpool.Pool, region string, log *slog.Logger) *Exchanges {
	store := &Exchanges{pool: pool, region: region}
	store.probe = agent.NewProbe("database", log, store.check)
	return store
}

// Ready implements agent.ExchangeStore.
func (e *Exchanges) Ready(ctx context.Context) error { return e.probe.Check(ctx) }

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
// the id makes that safe.
func (e *Exchanges) Save(ctx context.Context, exchange *agent.Exchange) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make exchange id: %w", err)
	}
	request := string(exchange.Request)
	for {
		err := e.insert(ctx, id, request, exchange)
		switch {
		case err == nil:
			return nil
		case isDataException(err) && request == string(exchange.Request):
			if request, err = asJSONString(request); err != nil {
				return err
			}
			continue
		case !isTemporary(err):
			return err
		}
		e.pool.Reset()
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last attempt: %w", ctx.Err(), err)
		case <-time.After(retryPause):
		}
	}
}

func (e *Exchanges) insert(ctx context.Context, id uuid.UUID, request string, x *agent.Exchange) error {
	const statement = `
INSERT INTO exchanges (id, created_at, duration_ms, request_id, region, model, answer_model, streamed, cached,
                       status, error, finish_reason, prompt_tokens, completion_tokens, request, response)
VALUES (@id, @created_at, @duration_ms, @request_id, @region, @model, @answer_model, @streamed, @cached,
        @status, @error, @finish_reason, @prompt_tokens, @completion_tokens, @request, @response)
ON CONFLICT (id) DO NOTHING`
	arguments := pgx.NamedArgs{
		"id": id.String(), "created_at": x.StartedAt, "duration_ms": x.Duration.Milliseconds(),
		"request_id": x.RequestID, "region": e.region, "model": plain(x.Model), "answer_model": plain(x.Answer.Model),
		"streamed": x.Stream, "cached": x.Cached, "status": string(x.Status), "error": plain(x.Error),
		"finish_reason": plain(x.Answer.FinishReason), "prompt_tokens": nil, "completion_tokens": nil,
		"request": request, "response": plain(x.Answer.Text),
	}
	if usage := x.Answer.Usage; usage != nil {
		arguments["prompt_tokens"], arguments["completion_tokens"] = usage.PromptTokens, usage.CompletionTokens
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if _, err := e.pool.Exec(ctx, statement, arguments); err != nil {
		return fmt.Errorf("insert exchange: %w", err)
	}
	return nil
}

// plain makes a string that a text column can hold.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// asJSONString wraps JSON that jsonb refuses, such as one with \u0000, into one JSON string, which it accepts.
func asJSONString(request string) (string, error) {
	encoded, err := json.Marshal(request)
	if err != nil {
		return "", fmt.Errorf("encode request: %w", err)
	}
	return string(encoded), nil
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
