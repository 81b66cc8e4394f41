package agent

import "context"

// Model calls a model server. Its errors are of type *ModelError, or the context's own.
type Model interface {
	Complete(ctx context.Context, request *ChatRequest) (*Completion, error)
	Stream(ctx context.Context, request *ChatRequest) (Stream, error)
}

// Stream is an answer that comes in pieces.
type Stream interface {
	// Next returns io.EOF after the last piece of a complete answer, and only then.
	Next() (Chunk, error)
	Close() error
}

// ExchangeStore keeps exchanges.
type ExchangeStore interface {
	// Ready returns an error when exchanges cannot be stored now, nor after a wait as for a failover. It is cheap
	// enough for every request.
	Ready(ctx context.Context) error
	// Save returns when the exchange is committed.
	Save(ctx context.Context, exchange *Exchange) error
}

// CompletionCache keeps completions for a while. Losing one is never an error of a request.
type CompletionCache interface {
	// Get returns nil without an error when there is none.
	Get(ctx context.Context, key string) (*Completion, error)
	Put(ctx context.Context, key string, completion *Completion) error
}
