package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/account"
	"agentstack/app/problem"
)

// Accounts is an account.Store.
type Accounts struct{ pool *pgxpool.Pool }

// NewAccounts returns a store of tenants, users, logins and API keys.
func NewAccounts(pool *pgxpool.Pool) *Accounts { return &Accounts{pool} }

var _ account.Store = (*Accounts)(nil)

// CreateTenant implements account.Store.
func (a *Accounts) CreateTenant(ctx context.Context, tenant *account.Tenant, owner *account.User) error {
	q := userStatement(owner, `
WITH tenant AS (INSERT INTO tenants (id, name, created_at) VALUES (@tenant_id, @tenant_name, @tenant_created_at)
	ON CONFLICT (id) DO NOTHING)`)
	q.args["tenant_id"], q.args["tenant_name"], q.args["tenant_created_at"] = tenant.ID, tenant.Name, tenant.CreatedAt
	return change(ctx, a.pool, ofTenant(tenant.ID), q)
}

// CreateUser implements account.Store.
func (a *Accounts) CreateUser(ctx context.Context, user *account.User) error {
	return change(ctx, a.pool, ofTenant(user.TenantID), userStatement(user, ""))
}

// userStatement inserts a user, after what with does in the same statement.
func userStatement(user *account.User, with string) statement {
	return statement{
		what:  "tenant",
		spent: true,
		sql: with + `
INSERT INTO users (id, tenant_id, email, role, password_hash, created_at)
VALUES (@id, @tenant_id, @email, @role, @password_hash, @created_at)
ON CONFLICT (id) DO NOTHING`,
		args: pgx.NamedArgs{
			"id": user.ID, "tenant_id": user.TenantID, "email": user.Email, "role": string(user.Role),
			"password_hash": user.PasswordHash, "created_at": user.CreatedAt,
		},
		refused: map[string]*problem.Error{
			"users_email_key": {
				Kind: problem.Conflict, Code: "email_taken", Param: "email", Message: "A user has this email already.",
			},
			"users_tenant_id_fkey": problem.Missing("tenant"),
		},
	}
}

const selectUser = `SELECT id, tenant_id, email, role, password_hash, created_at FROM users`

// UserByEmail implements account.Store.
func (a *Accounts) UserByEmail(ctx context.Context, email string) (*account.User, error) {
	q := statement{what: "user", sql: selectUser + ` WHERE email = @email`, args: pgx.NamedArgs{"email": plain(email)}}
	return one(ctx, a.pool, authentication, q, scanUser)
}

// UserByID implements account.Store.
func (a *Accounts) UserByID(ctx context.Context, id string) (*account.User, error) {
	if err := checkID("user", id); err != nil {
		return nil, err
	}
	q := statement{what: "user", sql: selectUser + ` WHERE id = @id`, args: pgx.NamedArgs{"id": id}}
	return one(ctx, a.pool, authentication, q, scanUser)
}

func scanUser(row pgx.CollectableRow) (u account.User, err error) {
	err = row.Scan(&u.ID, &u.TenantID, &u.Email, &u.Role, &u.PasswordHash, &u.CreatedAt)
	return u, err
}

// CreateLogin implements account.Store. It removes the user's logins that have expired.
func (a *Accounts) CreateLogin(ctx context.Context, login *account.Login) error {
	q := statement{
		what:    "login",
		refused: map[string]*problem.Error{"logins_tenant_id_user_id_fkey": problem.Missing("user")},
	}
	return pipeline(ctx, a.pool, ofTenant(login.TenantID), q, func(batch *pgx.Batch, again bool) {
		batch.Queue(`
INSERT INTO logins (id, tenant_id, user_id, token_hash, expires_at, revoked_at, created_at)
VALUES (@id, @tenant_id, @user_id, @token_hash, @expires_at, @revoked_at, @created_at)
ON CONFLICT (id) DO NOTHING`,
			pgx.NamedArgs{
				"id": login.ID, "tenant_id": login.TenantID, "user_id": login.UserID, "token_hash": login.TokenHash,
				"expires_at": login.ExpiresAt, "revoked_at": login.RevokedAt, "created_at": login.CreatedAt,
			}).Query(touched(again))
		batch.Queue(`
DELETE FROM logins
WHERE tenant_id = current_tenant() AND user_id = @user_id AND id <> @id AND expires_at < now()`,
			pgx.NamedArgs{"user_id": login.UserID, "id": login.ID})
	})
}

// LoginByID implements account.Store.
func (a *Accounts) LoginByID(ctx context.Context, id string) (*account.Login, error) {
	if err := checkID("login", id); err != nil {
		return nil, err
	}
	return one(ctx, a.pool, authentication, statement{
		what: "login",
		sql: `SELECT id, tenant_id, user_id, token_hash, expires_at, revoked_at, created_at
FROM logins WHERE id = @id`,
		args: pgx.NamedArgs{"id": id},
	}, func(row pgx.CollectableRow) (l account.Login, err error) {
		err = row.Scan(&l.ID, &l.TenantID, &l.UserID, &l.TokenHash, &l.ExpiresAt, &l.RevokedAt, &l.CreatedAt)
		return l, err
	})
}

// RotateLogin implements account.Store. A login that is revoked is not changed. One that has the new hash already has
// it from an earlier attempt of this very call, since nobody else knows its token. When no attempt gets an answer in
// time, the call fails though the token may be used up: then the login ends as soon as the client tries again.
func (a *Accounts) RotateLogin(ctx context.Context, id string, old, new []byte, expires time.Time) (bool, error) {
	if err := checkID("login", id); err != nil {
		return false, err
	}
	rotated, err := list(ctx, a.pool, authentication, statement{
		what: "login",
		sql: `
UPDATE logins SET token_hash = @new, expires_at = @expires_at
WHERE id = @id AND token_hash IN (@old, @new) AND revoked_at IS NULL
RETURNING id`,
		args: pgx.NamedArgs{"id": id, "old": old, "new": new, "expires_at": expires},
	}, pgx.RowTo[string])
	return len(rotated) == 1, err
}

// RevokeLogin implements account.Store. The time of the first call counts.
func (a *Accounts) RevokeLogin(ctx context.Context, id string) error {
	if err := checkID("login", id); err != nil {
		return err
	}
	return change(ctx, a.pool, authentication, statement{
		what: "login",
		sql:  `UPDATE logins SET revoked_at = coalesce(revoked_at, now()) WHERE id = @id`,
		args: pgx.NamedArgs{"id": id},
	})
}
