package account

import (
	"context"
	"time"
)

// Admit applies the principal's limits before work is done: a request, and the tokens it may take. It fails with
// problem.Limited. settle must be called once when the work is over, with the tokens that were used, 0 if there was no
// work; it waits for the limiter. A principal without limits costs nothing.
func (s *Service) Admit(ctx context.Context, p *Principal, tokens int64) (settle func(used int64), err error) {
	if p.RequestsPerMinute == 0 && p.TokensPerDay == 0 {
		return settled, nil
	}
	bucket := "key:" + p.KeyID
	if p.RequestsPerMinute > 0 {
		if err := s.Limiter.Allow(ctx, bucket, p.RequestsPerMinute); err != nil {
			return nil, err
		}
	}
	if p.TokensPerDay == 0 {
		return settled, nil
	}
	tokens = max(tokens, 0)
	day := now().Truncate(24 * time.Hour)
	if err := s.Limiter.Reserve(ctx, bucket, p.TokensPerDay, tokens); err != nil {
		return nil, err
	}
	return func(used int64) {
		// Yesterday's budget is over, and today's must not be corrected by what was taken from it.
		if used != tokens && now().Truncate(24*time.Hour).Equal(day) {
			// The client may be gone; what it used still counts. The limiter has logged what goes wrong.
			_ = s.Limiter.Settle(context.WithoutCancel(ctx), bucket, used-tokens)
		}
	}, nil
}

func settled(int64) {}
