package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/agent"
)

// Sessions is an agent.SessionStore. Text that PostgreSQL cannot hold, U+0000 and invalid UTF-8, is stored
// with U+FFFD in its place.
type Sessions struct {
	pool *pgxpool.Pool
}

// NewSessions returns a store in the tables agents, sessions and messages.
func NewSessions(pool *pgxpool.Pool) *Sessions { return &Sessions{pool: pool} }

const agentColumns = `id, name, model, system_prompt, retrieval, temperature, created_at, updated_at`

func scanAgent(row pgx.CollectableRow) (a agent.Agent, err error) {
	err = row.Scan(&a.ID, &a.Name, &a.Model, &a.SystemPrompt, &a.Retrieval, &a.Temperature,
		&a.CreatedAt, &a.UpdatedAt)
	return a, err
}

// CreateAgent implements agent.SessionStore.
func (s *Sessions) CreateAgent(ctx context.Context, tenant string, a *agent.Agent) error {
	return change(ctx, s.pool, ofTenant(tenant), statement{what: "agent", spent: true,
		args: agentArguments(tenant, a), sql: `
INSERT INTO agents (tenant_id, id, name, model, system_prompt, retrieval, temperature, created_at, updated_at)
VALUES (@tenant::uuid, @id::uuid, @name, @model, @system_prompt, @retrieval, @temperature,
        @created_at, @updated_at)
ON CONFLICT (tenant_id, id) DO NOTHING`})
}

// Agent implements agent.SessionStore.
func (s *Sessions) Agent(ctx context.Context, tenant, id string) (*agent.Agent, error) {
	return byID(ctx, s.pool, tenant, "agent", id,
		`SELECT `+agentColumns+` FROM agents WHERE id = @id::uuid`, scanAgent)
}

// Agents implements agent.SessionStore.
func (s *Sessions) Agents(ctx context.Context, tenant string, page agent.Page) ([]agent.Agent, error) {
	before, err := cursor(page.Before)
	if err != nil {
		return nil, err
	}
	return list(ctx, s.pool, ofTenant(tenant), statement{
		what: "agents", args: pgx.NamedArgs{"before": before, "limit": page.Limit + 1},
		sql: `SELECT ` + agentColumns + ` FROM agents WHERE id < @before::uuid ORDER BY id DESC LIMIT @limit`,
	}, scanAgent)
}

// UpdateAgent implements agent.SessionStore. It leaves CreatedAt as it is.
func (s *Sessions) UpdateAgent(ctx context.Context, tenant string, a *agent.Agent) error {
	const what = "agent"
	if err := checkID(what, a.ID); err != nil {
		return err
	}
	return change(ctx, s.pool, ofTenant(tenant), statement{what: what, args: agentArguments(tenant, a), sql: `
UPDATE agents SET name = @name, model = @model, system_prompt = @system_prompt, retrieval = @retrieval,
                  temperature = @temperature, updated_at = @updated_at
WHERE id = @id::uuid`})
}

// DeleteAgent implements agent.SessionStore.
func (s *Sessions) DeleteAgent(ctx context.Context, tenant, id string) error {
	const what = "agent"
	if err := checkID(what, id); err != nil {
		return err
	}
	return change(ctx, s.pool, ofTenant(tenant), statement{
		what: what, spent: true, args: pgx.NamedArgs{"id": id}, sql: `DELETE FROM agents WHERE id = @id::uuid`,
	})
}

func agentArguments(tenant string, a *agent.Agent) pgx.NamedArgs {
	return pgx.NamedArgs{
		"tenant": tenant, "id": a.ID, "name": plain(a.Name), "model": plain(a.Model),
		"system_prompt": plain(a.SystemPrompt), "retrieval": a.Retrieval, "temperature": a.Temperature,
		"created_at": a.CreatedAt, "updated_at": a.UpdatedAt,
	}
}
