package account

import (
	"context"
	"errors"
	"sync"
	"time"

	"agentstack/app/problem"
)

const (
	// AccessTokenTTL is short, because a program in another language may trust an access token without asking.
	AccessTokenTTL = 15 * time.Minute
	// RefreshTokenTTL is how long a login lasts without being used; each refresh starts it anew.
	RefreshTokenTTL = 30 * 24 * time.Hour

	// loginsPerMinute bounds the guesses at one account's password.
	loginsPerMinute = 10
	// storageRetry is what clients are told to wait while the store is away: about a failover of the database.
	storageRetry = 5 * time.Second
)

// Service is what may be done with accounts. Scopes are checked by the caller, except where something new could get
// more of them than its maker has. While the store is away, every method fails with problem.Unavailable.
type Service struct {
	Store   Store
	Hasher  Hasher
	Signer  Signer
	Limiter Limiter
	// NewID returns a UUIDv7 with dashes.
	NewID func() string
	// SignUpToken is what SignUp asks for; empty turns sign-up off.
	SignUpToken string

	credentials credentials
	dummyMu     sync.Mutex
	dummyHash   string
}

// now has the precision of the store, so that what is returned equals what is read later.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// stored passes problems on and makes a 503 of every other error of the store: a lost database must not look like
// wrong credentials.
func stored(err error) error {
	var known *problem.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &problem.Error{
		Kind:       problem.Unavailable,
		Code:       "storage_unavailable",
		Message:    "Accounts cannot be reached now. Try again.",
		RetryAfter: storageRetry,
		Err:        err,
	}
}

func isNotFound(err error) bool {
	var known *problem.Error
	return errors.As(err, &known) && known.Kind == problem.NotFound
}

// SignUp makes a tenant with its owner. It fails with problem.Forbidden, code signup_disabled, or
// problem.Unauthenticated, code invalid_signup_token.
func (s *Service) SignUp(ctx context.Context, token, email, password, tenantName string) (*User, *Tenant, error) {
	if s.SignUpToken == "" {
		return nil, nil, problem.New(problem.Forbidden, "signup_disabled", "Sign-up is turned off on this server.")
	}
	if !sameText(token, s.SignUpToken) {
		return nil, nil, problem.New(problem.Unauthenticated, "invalid_signup_token", "The sign-up token is wrong.")
	}
	if err := checkName("tenant", tenantName); err != nil {
		return nil, nil, err
	}
	tenant := &Tenant{ID: s.NewID(), Name: tenantName, CreatedAt: now()}
	owner, err := s.newUser(tenant.ID, email, password, RoleOwner)
	if err != nil {
		return nil, nil, err
	}
	if err := s.Store.CreateTenant(ctx, tenant, owner); err != nil {
		return nil, nil, stored(err)
	}
	return owner, tenant, nil
}

// CreateUser makes a user of the maker's tenant. A role with scopes that the maker lacks is problem.Forbidden.
func (s *Service) CreateUser(ctx context.Context, by *Principal, email, password string, role Role) (*User, error) {
	if role != RoleOwner && role != RoleMember {
		return nil, problem.InvalidField("role", "must be owner or member")
	}
	if err := checkScopes("role", role.Scopes(), by); err != nil {
		return nil, err
	}
	user, err := s.newUser(by.TenantID, email, password, role)
	if err != nil {
		return nil, err
	}
	if err := s.Store.CreateUser(ctx, user); err != nil {
		return nil, stored(err)
	}
	return user, nil
}

func (s *Service) newUser(tenant, email, password string, role Role) (*User, error) {
	email, err := normalizeEmail(email)
	if err != nil {
		return nil, err
	}
	if len(password) < minPassword || len(password) > maxPassword {
		return nil, problem.InvalidField("password", "must have 12 to 1024 bytes")
	}
	hash, err := s.Hasher.Hash(password)
	if err != nil {
		return nil, err
	}
	return &User{
		ID:           s.NewID(),
		TenantID:     tenant,
		Email:        email,
		Role:         role,
		PasswordHash: hash,
		CreatedAt:    now(),
	}, nil
}
