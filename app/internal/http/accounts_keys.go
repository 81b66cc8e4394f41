package http

import (
	"context"
	"net/http"
	"time"

	"agentstack/app/account"
)

func (s *Server) registerKeys() {
	const path = "/v1/api-keys"
	create := s.creation(path, "Make an API key", account.ScopeAdmin)
	create.Description = "A key cannot have scopes that its maker lacks. Its text is shown once; a repetition with " +
		"the same Idempotency-Key is answered without it."
	register(s, s.idempotent(create, "key"), s.createKey)
	register(s, s.operation(http.MethodGet, path, "List API keys, newest first", account.ScopeAdmin), s.listKeys)
	registerDelete(s, path+"/{id}", "API key", account.ScopeAdmin,
		func(ctx context.Context, _, id string) error { return s.Accounts.RevokeKey(ctx, principal(ctx), id) })
}

type newKey struct {
	Name              string          `json:"name" minLength:"1" maxLength:"200" example:"Backend"`
	Scopes            []account.Scope `json:"scopes" minItems:"1" uniqueItems:"true" enum:"chat,agents,knowledge,admin"`
	RequestsPerMinute int             `json:"requests_per_minute,omitempty" minimum:"0" maximum:"1000000"`
	TokensPerDay      int64           `json:"tokens_per_day,omitempty" minimum:"0" doc:"Per day of UTC. 0: no limit."`
	ExpiresAt         *time.Time      `json:"expires_at,omitempty" nullable:"true" doc:"null: never."`
}

type keyBody struct {
	ID                string          `json:"id" format:"uuid"`
	Name              string          `json:"name"`
	UserID            string          `json:"user_id" format:"uuid" doc:"Who made it."`
	Scopes            []account.Scope `json:"scopes"`
	RequestsPerMinute int             `json:"requests_per_minute" doc:"0: no limit."`
	TokensPerDay      int64           `json:"tokens_per_day" doc:"0: no limit."`
	ExpiresAt         *time.Time      `json:"expires_at" doc:"null: never."`
	RevokedAt         *time.Time      `json:"revoked_at"`
	CreatedAt         time.Time       `json:"created_at"`
	Key               string          `json:"key,omitempty" doc:"The secret. Shown once, when the key is made."`
}

func toKey(k *account.APIKey) keyBody {
	return keyBody{
		ID:                k.ID,
		Name:              k.Name,
		UserID:            k.UserID,
		Scopes:            k.Scopes,
		RequestsPerMinute: k.RequestsPerMinute,
		TokensPerDay:      k.TokensPerDay,
		ExpiresAt:         stampOf(k.ExpiresAt),
		RevokedAt:         stampOf(k.RevokedAt),
		CreatedAt:         stamp(k.CreatedAt),
	}
}

func (s *Server) createKey(ctx context.Context, in *input[newKey]) (*output[keyBody], error) {
	key, text, err := s.Accounts.CreateKey(ctx, principal(ctx), account.KeySpec{
		Name:              in.Body.Name,
		Scopes:            in.Body.Scopes,
		RequestsPerMinute: in.Body.RequestsPerMinute,
		TokensPerDay:      in.Body.TokensPerDay,
		ExpiresAt:         in.Body.ExpiresAt,
	})
	if err != nil {
		return nil, err
	}
	body := toKey(key)
	body.Key = text
	return &output[keyBody]{body}, nil
}

func (s *Server) listKeys(ctx context.Context, in *PageInput) (*output[listBody[keyBody]], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	keys, err := s.Accounts.Keys(ctx, principal(ctx), page.Limit+1, page.Before)
	if err != nil {
		return nil, err
	}
	list := newList(keys, page, func(k *account.APIKey) string { return k.ID }, toKey)
	return &output[listBody[keyBody]]{list}, nil
}
