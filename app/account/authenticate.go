package account

import (
	"context"
	"strings"
	"time"

	"agentstack/app/problem"
)

// Authenticate tells who a bearer credential (an API key or an access token) stands for. The principal is shared
// between requests: it must not be changed. It fails with problem.Unauthenticated, codes missing_credentials,
// invalid_api_key, invalid_token and token_expired.
//
// What the store says of a credential is used for 5 s, and while the store is away for 60 s more if the credential
// was good.
func (s *Service) Authenticate(ctx context.Context, bearer string) (*Principal, error) {
	switch {
	case bearer == "":
		return nil, problem.New(problem.Unauthenticated, "missing_credentials",
			"An API key or access token is needed, as in Authorization: Bearer <key>.")
	case strings.HasPrefix(bearer, keyPrefix):
		return s.authenticateKey(ctx, bearer)
	default:
		return s.authenticateToken(ctx, bearer)
	}
}

func (s *Service) authenticateKey(ctx context.Context, text string) (*Principal, error) {
	digits, sum, ok := parseSecret(keyPrefix, text)
	if !ok {
		return nil, errKey("The API key is wrong.")
	}
	found, ok := s.credentials.recent(digits)
	if !ok {
		var err error
		if found, err = s.credentials.load(ctx, digits, s.findKey); err != nil {
			return nil, stored(err)
		}
	}
	switch {
	case !found.known || !sameHash(found.hash, sum[:]):
		return nil, errKey("The API key is wrong.")
	case found.revoked:
		return nil, errKey("The API key is revoked.")
	case found.expired():
		return nil, errKey("The API key has expired.")
	}
	return &found.principal, nil
}

func (s *Service) findKey(ctx context.Context, digits string) (*credential, error) {
	key, err := s.Store.KeyByID(ctx, uuid(digits))
	if isNotFound(err) {
		return &credential{}, nil
	}
	if err != nil {
		return nil, err
	}
	found := &credential{
		known:   true,
		revoked: key.RevokedAt != nil,
		hash:    key.KeyHash,
		principal: Principal{
			TenantID:          key.TenantID,
			UserID:            key.UserID,
			KeyID:             key.ID,
			Scopes:            key.Scopes,
			RequestsPerMinute: key.RequestsPerMinute,
			TokensPerDay:      key.TokensPerDay,
		},
	}
	if key.ExpiresAt != nil {
		found.expiresAt = *key.ExpiresAt
	}
	return found, nil
}

func (s *Service) authenticateToken(ctx context.Context, token string) (*Principal, error) {
	claims, err := s.Signer.Verify(token)
	if err != nil {
		return nil, err
	}
	found, ok := s.credentials.recent(claims.LoginID)
	if !ok {
		if found, err = s.credentials.load(ctx, claims.LoginID, s.findLogin); err != nil {
			return nil, stored(err)
		}
	}
	if !found.known || found.revoked || found.expired() {
		return nil, problem.New(problem.Unauthenticated, "invalid_token", "The login has ended. Log in again.")
	}
	return &found.principal, nil
}

// findLogin takes the scopes from what the user is now, not from what the token says.
func (s *Service) findLogin(ctx context.Context, id string) (*credential, error) {
	login, err := s.Store.LoginByID(ctx, id)
	if isNotFound(err) {
		return &credential{}, nil
	}
	if err != nil {
		return nil, err
	}
	user, err := s.Store.UserByID(ctx, login.UserID)
	if isNotFound(err) {
		return &credential{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &credential{
		known:     true,
		revoked:   login.RevokedAt != nil,
		expiresAt: login.ExpiresAt,
		principal: Principal{
			TenantID: user.TenantID,
			UserID:   user.ID,
			LoginID:  login.ID,
			Scopes:   user.Role.Scopes(),
		},
	}, nil
}

func (c *credential) expired() bool { return !c.expiresAt.IsZero() && !c.expiresAt.After(time.Now()) }

func errKey(message string) error {
	return problem.New(problem.Unauthenticated, "invalid_api_key", message)
}
