package main

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"agentstack/app/internal/testenv"
)

// exchange is a stored row.
type exchange struct {
	Model, AnswerModel, Status, Error, FinishReason, Response, Region string
	Streamed, Cached                                                  bool
	PromptTokens, CompletionTokens                                    *int
	Request                                                           string
}

// connect returns a connection that sees the rows of every tenant. The caller closes it.
func (e *environment) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), e.postgres.URLOf(testenv.Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	return connection
}

// exchanges returns the rows of a request id.
func (e *environment) exchanges(t *testing.T, requestID string) []exchange {
	t.Helper()
	connection := e.connect(t)
	defer connection.Close(context.Background())
	rows, err := connection.Query(t.Context(), `SELECT model, answer_model, status, error, finish_reason,
		response, region, streamed, cached, prompt_tokens, completion_tokens, request::text AS request
		FROM exchanges WHERE request_id = $1 ORDER BY id`, requestID)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[exchange])
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// countExchanges counts the rows of a status.
func (e *environment) countExchanges(t *testing.T, status string) (count int) {
	t.Helper()
	connection := e.connect(t)
	defer connection.Close(context.Background())
	const query = "SELECT count(*) FROM exchanges WHERE status = $1"
	if err := connection.QueryRow(t.Context(), query, status).Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}

// stored waits for the one row of a request id.
func (e *environment) stored(t *testing.T, requestID string) exchange {
	t.Helper()
	var found []exchange
	eventually(t, "exchange "+requestID+" is stored", func() bool {
		found = e.exchanges(t, requestID)
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Fatalf("%d rows of request %s, want 1", len(found), requestID)
	}
	return found[0]
}

// rowsWith returns the tables that have a text in any row.
func (e *environment) rowsWith(t *testing.T, text string) []string {
	t.Helper()
	connection := e.connect(t)
	defer connection.Close(context.Background())
	rows, err := connection.Query(t.Context(), `SELECT relname::text FROM pg_class
		WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, table := range tables {
		var count int
		query := "SELECT count(*) FROM " + pgx.Identifier{table}.Sanitize() +
			" AS r WHERE r::text LIKE '%' || $1 || '%'"
		if err := connection.QueryRow(t.Context(), query, text).Scan(&count); err != nil {
			t.Fatal(err)
		}
		if count > 0 {
			found = append(found, table)
		}
	}
	return found
}
