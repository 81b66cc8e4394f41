package account

import (
	"context"
	"time"
)

// Store keeps accounts. What is not there is problem.NotFound.
type Store interface {
	// CreateTenant stores a tenant with its first user, both or neither. An email that is taken is problem.Conflict,
	// code email_taken; so it is for CreateUser.
	CreateTenant(ctx context.Context, tenant *Tenant, owner *User) error
	CreateUser(ctx context.Context, user *User) error
	// UserByEmail and UserByID look over all tenants: they serve authentication only.
	UserByEmail(ctx context.Context, email string) (*User, error)
	UserByID(ctx context.Context, id string) (*User, error)

	CreateLogin(ctx context.Context, login *Login) error
	// LoginByID looks over all tenants.
	LoginByID(ctx context.Context, id string) (*Login, error)
	// RotateLogin replaces the token hash if it still is old, in one statement, and tells whether it did.
	RotateLogin(ctx context.Context, id string, old, new []byte, expires time.Time) (bool, error)
	RevokeLogin(ctx context.Context, id string) error

	CreateKey(ctx context.Context, key *APIKey) error
	// KeyByID looks over all tenants.
	KeyByID(ctx context.Context, id string) (*APIKey, error)
	// Keys lists a tenant's keys, newest first, up to limit; before is the id of the last one of the page before.
	Keys(ctx context.Context, tenant string, limit int, before string) ([]APIKey, error)
	RevokeKey(ctx context.Context, tenant, id string) error
}

// Hasher hashes passwords with argon2id.
type Hasher interface {
	Hash(password string) (string, error)
	Verify(password, hash string) (bool, error)
}

// Claims are what an access token says.
type Claims struct {
	TenantID, UserID, LoginID string
	Role                      Role
	ExpiresAt                 time.Time
}

// Signer makes and checks access tokens (JWT).
type Signer interface {
	Sign(claims Claims) (string, error)
	// Verify fails with problem.Unauthenticated, code invalid_token or token_expired.
	Verify(token string) (Claims, error)
}

// Limiter holds limits that are right across replicas. Without Redis it lets requests pass, logs that and counts it:
// a lost cache must not be an outage.
type Limiter interface {
	// Allow takes one request from a bucket of perMinute; it fails with problem.Limited and RetryAfter.
	Allow(ctx context.Context, bucket string, perMinute int) error
	// Reserve takes tokens from the day's budget (UTC); it fails with problem.Limited, code token_budget_exceeded, and
	// RetryAfter until midnight. Settle corrects a reservation by the difference to what was used.
	Reserve(ctx context.Context, bucket string, perDay, tokens int64) error
	Settle(ctx context.Context, bucket string, difference int64) error
}
