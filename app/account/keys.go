package account

import (
	"context"
	"slices"
	"strings"
)

// CreateKey makes an API key of the maker's tenant and returns its text, which is nowhere else. A scope that the maker
// lacks is problem.Forbidden, code scope_exceeded.
func (s *Service) CreateKey(ctx context.Context, by *Principal, spec KeySpec) (key *APIKey, text string, err error) {
	at := now()
	if err := spec.check(by, at); err != nil {
		return nil, "", err
	}
	id := s.NewID()
	text, sum := newSecret(keyPrefix, id)
	key = &APIKey{
		ID:                id,
		TenantID:          by.TenantID,
		UserID:            by.UserID,
		Name:              spec.Name,
		KeyHash:           sum[:],
		Scopes:            slices.Compact(slices.Sorted(slices.Values(spec.Scopes))),
		RequestsPerMinute: spec.RequestsPerMinute,
		TokensPerDay:      spec.TokensPerDay,
		ExpiresAt:         spec.ExpiresAt,
		CreatedAt:         at,
	}
	if err := s.Store.CreateKey(ctx, key); err != nil {
		return nil, "", stored(err)
	}
	return key, text, nil
}

// Keys lists API keys of the principal's tenant, newest first, up to limit; before is the id of the last one of the
// page before, or empty.
func (s *Service) Keys(ctx context.Context, by *Principal, limit int, before string) ([]APIKey, error) {
	keys, err := s.Store.Keys(ctx, by.TenantID, limit, before)
	return keys, stored(err)
}

// RevokeKey ends an API key of the principal's tenant: here at once, in other replicas within 5 s.
func (s *Service) RevokeKey(ctx context.Context, by *Principal, id string) error {
	err := s.Store.RevokeKey(ctx, by.TenantID, id)
	s.credentials.forget(strings.ReplaceAll(id, "-", ""))
	return stored(err)
}
