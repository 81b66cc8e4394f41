package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"agentstack/app/agent"
	"agentstack/app/problem"
)

const sessionColumns = `id, agent_id, title, created_at`

func scanSession(row pgx.CollectableRow) (s agent.Session, err error) {
	err = row.Scan(&s.ID, &s.AgentID, &s.Title, &s.CreatedAt)
	return s, err
}

// CreateSession implements agent.SessionStore.
func (s *Sessions) CreateSession(ctx context.Context, tenant string, session *agent.Session) error {
	const owner = "agent"
	if err := checkID(owner, session.AgentID); err != nil {
		return err
	}
	return change(ctx, s.pool, ofTenant(tenant), statement{
		what: "session", spent: true,
		sql: `INSERT INTO sessions (tenant_id, id, agent_id, title, created_at)
		      VALUES (@tenant::uuid, @id::uuid, @agent::uuid, @title, @created_at)
		      ON CONFLICT (tenant_id, id) DO NOTHING`,
		args: pgx.NamedArgs{
			"tenant": tenant, "id": session.ID, "agent": session.AgentID, "title": plain(session.Title),
			"created_at": session.CreatedAt,
		},
		refused: map[string]*problem.Error{"sessions_agent_fkey": problem.Missing(owner)},
	})
}

// Session implements agent.SessionStore.
func (s *Sessions) Session(ctx context.Context, tenant, id string) (*agent.Session, error) {
	return byID(ctx, s.pool, tenant, "session", id,
		`SELECT `+sessionColumns+` FROM sessions WHERE id = @id::uuid`, scanSession)
}

// Sessions implements agent.SessionStore.
func (s *Sessions) Sessions(ctx context.Context, tenant string, page agent.Page) ([]agent.Session, error) {
	before, err := cursor(page.Before)
	if err != nil {
		return nil, err
	}
	return list(ctx, s.pool, ofTenant(tenant), statement{
		what: "sessions", args: pgx.NamedArgs{"before": before, "limit": page.Limit + 1},
		sql: `SELECT ` + sessionColumns + ` FROM sessions
		      WHERE id < @before::uuid ORDER BY id DESC LIMIT @limit`,
	}, scanSession)
}

// DeleteSession implements agent.SessionStore.
func (s *Sessions) DeleteSession(ctx context.Context, tenant, id string) error {
	const what = "session"
	if err := checkID(what, id); err != nil {
		return err
	}
	return change(ctx, s.pool, ofTenant(tenant), statement{
		what: what, spent: true, args: pgx.NamedArgs{"id": id}, sql: `DELETE FROM sessions WHERE id = @id::uuid`,
	})
}
