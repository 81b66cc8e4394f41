// Package account is the domain of who may do what, and how much of it: tenants, users, tokens, API keys and limits.
// It imports the standard library and problem only.
package account

import (
	"slices"
	"time"
)

// Scope is a right.
type Scope string

// The scopes.
const (
	ScopeChat      Scope = "chat"      // chat completions, embeddings, models
	ScopeAgents    Scope = "agents"    // agents, sessions, messages, /ws
	ScopeKnowledge Scope = "knowledge" // documents and search
	ScopeAdmin     Scope = "admin"     // users and API keys of the tenant
)

// Scopes lists every scope.
func Scopes() []Scope { return []Scope{ScopeChat, ScopeAgents, ScopeKnowledge, ScopeAdmin} }

// Role is what a user is in a tenant.
type Role string

// An owner has every scope, a member all but admin.
const (
	RoleOwner  Role = "owner"
	RoleMember Role = "member"
)

// Scopes returns the scopes of a role.
func (r Role) Scopes() []Scope {
	if r == RoleOwner {
		return Scopes()
	}
	return []Scope{ScopeChat, ScopeAgents, ScopeKnowledge}
}

// Tenant owns everything else; tenants never see each other's rows.
type Tenant struct {
	ID, Name  string
	CreatedAt time.Time
}

// User is a person of one tenant. Email is unique over all tenants, in lower case.
type User struct {
	ID, TenantID, Email string
	Role                Role
	PasswordHash        string // argon2id, in PHC form
	CreatedAt           time.Time
}

// APIKey is a credential of a program. The key itself is shown once; KeyHash is its SHA-256.
type APIKey struct {
	ID, TenantID, UserID, Name string
	KeyHash                    []byte
	Scopes                     []Scope
	// RequestsPerMinute and TokensPerDay bound what the key may do; 0 is no limit.
	RequestsPerMinute int
	TokensPerDay      int64
	ExpiresAt         *time.Time // nil: never
	RevokedAt         *time.Time
	CreatedAt         time.Time
}

// Login is a chain of refresh tokens, made by one log-in. Only the newest token of it is valid; an older one that
// comes again is stolen or stale, and ends the login.
type Login struct {
	ID, TenantID, UserID string
	TokenHash            []byte // SHA-256 of the newest refresh token
	ExpiresAt            time.Time
	RevokedAt            *time.Time
	CreatedAt            time.Time
}

// Tokens are what a log-in gives.
type Tokens struct {
	AccessToken  string
	RefreshToken string
	ExpiresIn    time.Duration // of the access token
}

// Principal is who makes a request.
type Principal struct {
	TenantID, UserID  string
	KeyID             string // of the API key, or empty
	LoginID           string // of the log-in behind an access token, or empty
	Scopes            []Scope
	RequestsPerMinute int
	TokensPerDay      int64
}

// Has tells whether the principal has a scope.
func (p *Principal) Has(scope Scope) bool { return slices.Contains(p.Scopes, scope) }
