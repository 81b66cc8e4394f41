package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"agentstack/app/agent"
	"agentstack/app/problem"
)

const messageColumns = `id, session_id, role, status, content, error, model, prompt_tokens, completion_tokens,
                        citations, created_at`

func scanMessage(row pgx.CollectableRow) (m agent.Message, err error) {
	var prompt, completion *int
	err = row.Scan(&m.ID, &m.SessionID, &m.Role, &m.Status, &m.Content, &m.Error, &m.Model, &prompt, &completion,
		&m.Citations, &m.CreatedAt)
	if prompt != nil && completion != nil {
		m.Usage = &agent.Usage{PromptTokens: *prompt, CompletionTokens: *completion}
	}
	return m, err
}

// AddTurn implements agent.SessionStore. The index messages_in_progress_key decides between two at once.
func (s *Sessions) AddTurn(
	ctx context.Context, tenant string, question, answer *agent.Message, stale time.Duration,
) error {
	const owner = "session"
	if err := checkID(owner, answer.SessionID); err != nil {
		return err
	}
	q := statement{what: "message", refused: map[string]*problem.Error{
		"messages_session_fkey": problem.Missing(owner),
		"messages_in_progress_key": problem.New(problem.Conflict, "answer_in_progress",
			"Another answer of this session is in progress."),
	}}
	var messages [2]pgx.NamedArgs
	for i, message := range []*agent.Message{question, answer} {
		arguments, err := messageArguments(tenant, message)
		if err != nil {
			return err
		}
		messages[i] = arguments
	}
	return pipeline(ctx, s.pool, ofTenant(tenant), q, func(batch *pgx.Batch, again bool) {
		batch.Queue(`
UPDATE messages SET status = 'interrupted', error = 'The answer was given up.'
WHERE session_id = @session::uuid AND status = 'in_progress' AND created_at < @deadline`,
			pgx.NamedArgs{"session": answer.SessionID, "deadline": answer.CreatedAt.Add(-stale)})
		for _, arguments := range messages {
			batch.Queue(`
INSERT INTO messages (tenant_id, id, session_id, role, status, content, error, model, prompt_tokens,
                      completion_tokens, citations, created_at)
VALUES (@tenant::uuid, @id::uuid, @session::uuid, @role, @status, @content, @error, @model, @prompt_tokens,
        @completion_tokens, @citations::jsonb, @created_at)
ON CONFLICT (tenant_id, id) DO NOTHING`, arguments).Query(touched(again))
		}
	})
}

// FinishMessage implements agent.SessionStore. An answer that was taken for stale meanwhile gets its real
// end.
func (s *Sessions) FinishMessage(ctx context.Context, tenant string, answer *agent.Message) error {
	const what = "message"
	if err := checkID(what, answer.ID); err != nil {
		return err
	}
	arguments, err := messageArguments(tenant, answer)
	if err != nil {
		return err
	}
	return change(ctx, s.pool, ofTenant(tenant), statement{what: what, args: arguments, sql: `
UPDATE messages SET status = @status, content = @content, error = @error, model = @model,
                    prompt_tokens = @prompt_tokens, completion_tokens = @completion_tokens,
                    citations = @citations::jsonb
WHERE id = @id::uuid AND role = 'assistant'`})
}

// Message implements agent.SessionStore.
func (s *Sessions) Message(ctx context.Context, tenant, id string) (*agent.Message, error) {
	return byID(ctx, s.pool, tenant, "message", id,
		`SELECT `+messageColumns+` FROM messages WHERE id = @id::uuid`, scanMessage)
}

// Messages implements agent.SessionStore.
func (s *Sessions) Messages(
	ctx context.Context, tenant, sessionID string, page agent.Page,
) (found []agent.Message, err error) {
	const owner = "session"
	if err := checkID(owner, sessionID); err != nil {
		return nil, err
	}
	before, err := cursor(page.Before)
	if err != nil {
		return nil, err
	}
	err = pipeline(ctx, s.pool, ofTenant(tenant), statement{what: owner}, func(batch *pgx.Batch, _ bool) {
		exists := batch.Queue(`SELECT true FROM sessions WHERE id = @id::uuid`, pgx.NamedArgs{"id": sessionID})
		exists.QueryRow(func(row pgx.Row) error { return row.Scan(new(bool)) })
		messages := batch.Queue(`SELECT `+messageColumns+` FROM messages
			WHERE session_id = @session::uuid AND id < @before::uuid ORDER BY id DESC LIMIT @limit`,
			pgx.NamedArgs{"session": sessionID, "before": before, "limit": page.Limit + 1})
		messages.Query(func(rows pgx.Rows) (err error) {
			found, err = pgx.CollectRows(rows, scanMessage)
			return err
		})
	})
	return found, err
}

func messageArguments(tenant string, m *agent.Message) (pgx.NamedArgs, error) {
	citations := make([]agent.Citation, len(m.Citations))
	for i, citation := range m.Citations {
		citation.Title, citation.Excerpt = plain(citation.Title), plain(citation.Excerpt)
		citations[i] = citation
	}
	encoded, err := json.Marshal(citations)
	if err != nil {
		return nil, fmt.Errorf("encode citations: %w", err)
	}
	arguments := pgx.NamedArgs{
		"tenant": tenant, "id": m.ID, "session": m.SessionID, "role": string(m.Role), "status": string(m.Status),
		"content": plain(m.Content), "error": plain(m.Error), "model": plain(m.Model), "prompt_tokens": nil,
		"completion_tokens": nil, "citations": string(encoded), "created_at": m.CreatedAt,
	}
	if m.Usage != nil {
		arguments["prompt_tokens"] = m.Usage.PromptTokens
		arguments["completion_tokens"] = m.Usage.CompletionTokens
	}
	return arguments, nil
}
