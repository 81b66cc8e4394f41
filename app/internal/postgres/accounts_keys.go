package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"agentstack/app/account"
	"agentstack/app/problem"
)

const selectKey = `
SELECT id, tenant_id, user_id, name, key_hash, scopes, requests_per_minute, tokens_per_day, expires_at, revoked_at,
	created_at
FROM api_keys`

// CreateKey implements account.Store.
func (a *Accounts) CreateKey(ctx context.Context, key *account.APIKey) error {
	scopes := make([]string, len(key.Scopes))
	for i, scope := range key.Scopes {
		scopes[i] = string(scope)
	}
	return change(ctx, a.pool, ofTenant(key.TenantID), statement{
		what:  "user",
		spent: true,
		sql: `
INSERT INTO api_keys (id, tenant_id, user_id, name, key_hash, scopes, requests_per_minute, tokens_per_day,
	expires_at, revoked_at, created_at)
VALUES (@id, @tenant_id, @user_id, @name, @key_hash, @scopes, @requests_per_minute, @tokens_per_day,
	@expires_at, @revoked_at, @created_at)
ON CONFLICT (id) DO NOTHING`,
		args: pgx.NamedArgs{
			"id": key.ID, "tenant_id": key.TenantID, "user_id": key.UserID, "name": key.Name,
			"key_hash": key.KeyHash, "scopes": scopes, "requests_per_minute": key.RequestsPerMinute,
			"tokens_per_day": key.TokensPerDay, "expires_at": key.ExpiresAt, "revoked_at": key.RevokedAt,
			"created_at": key.CreatedAt,
		},
		refused: map[string]*problem.Error{"api_keys_tenant_id_user_id_fkey": problem.Missing("user")},
	})
}

// KeyByID implements account.Store.
func (a *Accounts) KeyByID(ctx context.Context, id string) (*account.APIKey, error) {
	if err := checkID("API key", id); err != nil {
		return nil, err
	}
	q := statement{what: "API key", sql: selectKey + ` WHERE id = @id`, args: pgx.NamedArgs{"id": id}}
	return one(ctx, a.pool, authentication, q, scanKey)
}

// Keys implements account.Store. Revoked keys are among them.
func (a *Accounts) Keys(ctx context.Context, tenant string, limit int, before string) ([]account.APIKey, error) {
	bound, err := cursor(before)
	if err != nil {
		return nil, err
	}
	return list(ctx, a.pool, ofTenant(tenant), statement{
		what: "API key",
		sql:  selectKey + ` WHERE tenant_id = current_tenant() AND id < @before ORDER BY id DESC LIMIT @limit`,
		args: pgx.NamedArgs{"before": bound, "limit": limit},
	}, scanKey)
}

// RevokeKey implements account.Store. The time of the first call counts.
func (a *Accounts) RevokeKey(ctx context.Context, tenant, id string) error {
	if err := checkID("API key", id); err != nil {
		return err
	}
	return change(ctx, a.pool, ofTenant(tenant), statement{
		what: "API key",
		sql: `UPDATE api_keys SET revoked_at = coalesce(revoked_at, now())
WHERE tenant_id = current_tenant() AND id = @id`,
		args: pgx.NamedArgs{"id": id},
	})
}

func scanKey(row pgx.CollectableRow) (k account.APIKey, err error) {
	err = row.Scan(&k.ID, &k.TenantID, &k.UserID, &k.Name, &k.KeyHash, &k.Scopes, &k.RequestsPerMinute,
		&k.TokensPerDay, &k.ExpiresAt, &k.RevokedAt, &k.CreatedAt)
	return k, err
}
