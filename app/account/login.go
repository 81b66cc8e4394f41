package account

import (
	"context"
	"encoding/hex"
	"time"

	"agentstack/app/problem"
)

// Login answers an e-mail address and its password with tokens. It fails with problem.Unauthenticated, code
// invalid_credentials, which does not tell which of both is wrong, and with problem.Limited after 10 attempts a
// minute for one address.
func (s *Service) Login(ctx context.Context, email, password string) (*Tokens, error) {
	email, err := normalizeEmail(email)
	if err != nil || len(password) > maxPassword {
		return nil, errCredentials()
	}
	sum := hashText(email)
	if err := s.Limiter.Allow(ctx, "login:"+hex.EncodeToString(sum[:]), loginsPerMinute); err != nil {
		return nil, err
	}
	dummy, err := s.dummy()
	if err != nil {
		return nil, err
	}
	user, err := s.Store.UserByEmail(ctx, email)
	if isNotFound(err) {
		// An unknown address costs what a wrong password does, so that the time does not tell who has an account.
		user = &User{PasswordHash: dummy}
	} else if err != nil {
		return nil, stored(err)
	}
	right, err := s.Hasher.Verify(password, user.PasswordHash)
	if err != nil {
		return nil, err
	}
	if !right || user.ID == "" {
		return nil, errCredentials()
	}
	at := now()
	login := &Login{ID: s.NewID(), TenantID: user.TenantID, UserID: user.ID, CreatedAt: at}
	tokens, sum, err := s.tokens(login.ID, user, at)
	if err != nil {
		return nil, err
	}
	login.TokenHash, login.ExpiresAt = sum[:], at.Add(RefreshTokenTTL)
	if err := s.Store.CreateLogin(ctx, login); err != nil {
		return nil, stored(err)
	}
	return tokens, nil
}

// dummy returns a hash that no password is known for. It is made at the first login, whoever logs in.
func (s *Service) dummy() (string, error) {
	s.dummyMu.Lock()
	defer s.dummyMu.Unlock()
	if s.dummyHash == "" {
		password, _ := newSecret("", "")
		hash, err := s.Hasher.Hash(password)
		if err != nil {
			return "", err
		}
		s.dummyHash = hash
	}
	return s.dummyHash, nil
}

// Refresh replaces a refresh token by new tokens. A token works once: when it comes again, it was stolen or the client
// is broken, so the login ends, also for who got the newer token: problem.Unauthenticated, code refresh_token_reused.
// Any other token that does not work is code invalid_refresh_token.
//
// Only the newest token's hash is kept, so a wrong secret with the id of a login counts as an old token. The ids are
// random and known to the login's owner only.
func (s *Service) Refresh(ctx context.Context, refreshToken string) (*Tokens, error) {
	digits, old, ok := parseSecret(refreshPrefix, refreshToken)
	if !ok {
		return nil, errRefresh("The refresh token is malformed.")
	}
	login, err := s.Store.LoginByID(ctx, uuid(digits))
	if isNotFound(err) {
		return nil, errRefresh("The refresh token is unknown.")
	}
	if err != nil {
		return nil, stored(err)
	}
	at := now()
	if login.RevokedAt != nil || !login.ExpiresAt.After(at) {
		return nil, errRefresh("The login has ended. Log in again.")
	}
	if !sameHash(login.TokenHash, old[:]) {
		return nil, s.reused(ctx, login.ID)
	}
	return s.rotate(ctx, login, old, at)
}

// rotate does everything that can fail before it uses up the old token.
func (s *Service) rotate(ctx context.Context, login *Login, old hash, at time.Time) (*Tokens, error) {
	user, err := s.Store.UserByID(ctx, login.UserID)
	if isNotFound(err) {
		return nil, errRefresh("The user is gone.")
	}
	if err != nil {
		return nil, stored(err)
	}
	tokens, sum, err := s.tokens(login.ID, user, at)
	if err != nil {
		return nil, err
	}
	won, err := s.Store.RotateLogin(ctx, login.ID, old[:], sum[:], at.Add(RefreshTokenTTL))
	if err != nil {
		return nil, stored(err)
	}
	if !won {
		return nil, s.reused(ctx, login.ID)
	}
	return tokens, nil
}

func (s *Service) reused(ctx context.Context, login string) error {
	if err := s.endLogin(ctx, login); err != nil {
		return err
	}
	return problem.New(problem.Unauthenticated, "refresh_token_reused",
		"The refresh token was used before, so its login is ended. Log in again.")
}

// Logout ends the login of a refresh token, with its access tokens. As in RFC 7009, a token that does not work (any
// more) is no error.
func (s *Service) Logout(ctx context.Context, refreshToken string) error {
	digits, _, ok := parseSecret(refreshPrefix, refreshToken)
	if !ok {
		return nil
	}
	return s.endLogin(ctx, uuid(digits))
}

func (s *Service) endLogin(ctx context.Context, id string) error {
	err := s.Store.RevokeLogin(ctx, id)
	s.credentials.forget(id)
	if isNotFound(err) {
		return nil
	}
	return stored(err)
}

func (s *Service) tokens(login string, user *User, at time.Time) (*Tokens, hash, error) {
	access, err := s.Signer.Sign(Claims{
		TenantID:  user.TenantID,
		UserID:    user.ID,
		LoginID:   login,
		Role:      user.Role,
		ExpiresAt: at.Add(AccessTokenTTL),
	})
	if err != nil {
		return nil, hash{}, err
	}
	refresh, sum := newSecret(refreshPrefix, login)
	return &Tokens{AccessToken: access, RefreshToken: refresh, ExpiresIn: AccessTokenTTL}, sum, nil
}

func errCredentials() error {
	return problem.New(problem.Unauthenticated, "invalid_credentials", "The e-mail address or the password is wrong.")
}

func errRefresh(message string) error {
	return problem.New(problem.Unauthenticated, "invalid_refresh_token", message)
}
