// Package token signs and verifies access tokens: JWTs (RFC 7519) with HMAC SHA-256.
package token

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"agentstack/app/account"
	"agentstack/app/problem"
)

const (
	issuer   = "agentstack"
	audience = "agentstack-api"
	// leeway allows for clocks of replicas that differ.
	leeway = 5 * time.Second
	// minKey is in bytes: RFC 7518 section 3.2 asks for the size of the hash.
	minKey = 32
	// maxToken bounds what is parsed, in bytes; a token of ours has about 500.
	maxToken = 4096
)

// Signer is an account.Signer.
type Signer struct {
	id     string // of the key that signs
	keys   map[string][]byte
	parser *jwt.Parser
}

// claims are what a token says. Subject is the user.
type claims struct {
	jwt.RegisteredClaims
	TenantID string       `json:"tenant_id"`
	LoginID  string       `json:"login_id"`
	Role     account.Role `json:"role"`
}

// NewSigner returns a signer that signs with the first key and accepts all of them, so that a new key can be put first
// while tokens of the old one live on. Every key has at least 32 bytes.
func NewSigner(keys [][]byte) (*Signer, error) {
	if len(keys) == 0 {
		return nil, errors.New("sign tokens: no key is given")
	}
	s := &Signer{keys: map[string][]byte{}}
	for i, key := range keys {
		if len(key) < minKey {
			return nil, fmt.Errorf("sign tokens: key %d has %d bytes, at least %d are needed", i+1, len(key), minKey)
		}
		s.keys[keyID(key)] = key
	}
	s.id = keyID(keys[0])
	s.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway),
		jwt.WithStrictDecoding(),
	)
	return s, nil
}

// keyID is a short hash, which tells keys apart and nothing about them.
func keyID(key []byte) string {
	sum := sha256.Sum256(key)
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// Sign implements account.Signer.
func (s *Signer) Sign(c account.Claims) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    issuer,
			Audience:  jwt.ClaimStrings{audience},
			Subject:   c.UserID,
			IssuedAt:  jwt.NewNumericDate(time.Now()),
			ExpiresAt: jwt.NewNumericDate(c.ExpiresAt),
		},
		TenantID: c.TenantID,
		LoginID:  c.LoginID,
		Role:     c.Role,
	})
	token.Header["kid"] = s.id
	text, err := token.SignedString(s.keys[s.id])
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return text, nil
}

// Verify implements account.Signer.
func (s *Signer) Verify(text string) (account.Claims, error) {
	// The decoder skips line ends, so that there would be many texts of one token.
	if len(text) > maxToken || strings.ContainsAny(text, "\r\n") {
		return account.Claims{}, invalid(errors.New("token is too long or has line ends"))
	}
	var c claims
	_, err := s.parser.ParseWithClaims(text, &c, s.key)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return account.Claims{}, &problem.Error{
			Kind:    problem.Unauthenticated,
			Code:    "token_expired",
			Message: "The access token has expired. Refresh it.",
		}
	case err != nil:
		return account.Claims{}, invalid(err)
	}
	return account.Claims{
		TenantID:  c.TenantID,
		UserID:    c.Subject,
		LoginID:   c.LoginID,
		Role:      c.Role,
		ExpiresAt: c.ExpiresAt.Time,
	}, nil
}

// Validate implements jwt.ClaimsValidator.
func (c *claims) Validate() error {
	if c.IssuedAt == nil || c.Subject == "" || c.TenantID == "" || c.LoginID == "" {
		return jwt.ErrTokenRequiredClaimMissing
	}
	return nil
}

// key returns the key that a token says it is signed with.
func (s *Signer) key(token *jwt.Token) (any, error) {
	id, _ := token.Header["kid"].(string)
	key, ok := s.keys[id]
	if !ok {
		return nil, errors.New("key is unknown")
	}
	return key, nil
}

func invalid(err error) error {
	return &problem.Error{
		Kind:    problem.Unauthenticated,
		Code:    "invalid_token",
		Message: "The credential is neither an API key nor an access token of this server.",
		Err:     err,
	}
}
