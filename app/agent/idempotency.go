package agent

import "context"

// StoredAnswer is an answer that is kept to be sent again.
type StoredAnswer struct {
	Status      int // of HTTP
	ContentType string
	Body        []byte
}

// IdempotencyStore keeps the answers to requests with an idempotency key for 24 hours, per tenant and scope (method
// and path).
type IdempotencyStore interface {
	// Begin claims a key and returns nil, or the answer that is stored under it. It fails with problem.Unprocessable,
	// code idempotency_key_reused, when the fingerprint is another one, and with problem.Conflict, code
	// idempotency_in_progress, while another request holds the key. A claim that is neither finished nor forgotten
	// ends after 10 minutes.
	Begin(ctx context.Context, tenant, scope, key string, fingerprint []byte) (*StoredAnswer, error)
	// Finish stores the answer of a claimed key.
	Finish(ctx context.Context, tenant, scope, key string, answer *StoredAnswer) error
	// Forget gives a claimed key up.
	Forget(ctx context.Context, tenant, scope, key string) error
}
