package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

const (
	// saveTimeout bounds storing one exchange, retries over a database failover included: as long as the store waits.
	saveTimeout = 30 * time.Second
	// cacheTimeout bounds what a sick cache may cost a request.
	cacheTimeout = 500 * time.Millisecond
)

var errEmit = errors.New("client does not take the answer")

// Chat answers chat requests and keeps a record of each. Its promise: an answer that is acknowledged to
// the client as complete is stored.
type Chat struct {
	Model     Model
	Exchanges ExchangeStore   // nil keeps no record
	Cache     CompletionCache // nil caches nothing
	Log       *slog.Logger
}

// Complete answers a request as a whole and tells whether the answer came from the cache.
func (c *Chat) Complete(
	ctx context.Context, request *ChatRequest,
) (completion *Completion, cached bool, err error) {
	if err := c.ready(ctx); err != nil {
		return nil, false, err
	}
	exchange := newExchange(request)
	var key string
	if c.Cache != nil && request.Cache != (CachePolicy{NoRead: true, NoWrite: true}) {
		if key, err = request.CacheKey(); err != nil {
			return nil, false, err
		}
		completion = c.lookUp(ctx, request, key)
	}
	exchange.Cached = completion != nil
	if completion == nil {
		completion, err = c.Model.Complete(ctx, request)
	}
	if err == nil {
		exchange.Answer = completion.Answer
	}
	exchange.finish(ctx, err)
	if err := errors.Join(err, c.save(ctx, exchange)); err != nil {
		return nil, false, err
	}
	if key != "" && !exchange.Cached && !request.Cache.NoWrite {
		c.keep(ctx, key, completion)
	}
	return completion, exchange.Cached, nil
}

// Stream passes an answer to emit piece by piece. It returns without an error when all of it is emitted and
// stored. The usage is nil if the model server did not report it, and may be there beside an error.
func (c *Chat) Stream(ctx context.Context, request *ChatRequest, emit func(Chunk) error) (*Usage, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	exchange := newExchange(request)
	err := c.relay(ctx, request, &exchange.Answer, emit)
	exchange.finish(ctx, err)
	return exchange.Answer.Usage, errors.Join(err, c.save(ctx, exchange))
}

func (c *Chat) ready(ctx context.Context) error {
	if c.Exchanges == nil {
		return nil
	}
	if err := c.Exchanges.Ready(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
	return nil
}

func (c *Chat) relay(ctx context.Context, request *ChatRequest, answer *Answer, emit func(Chunk) error) error {
	stream, err := c.Model.Stream(ctx, request)
	if err != nil {
		return err
	}
	defer stream.Close()
	var text strings.Builder
	defer func() { answer.Text = text.String() }()
	for {
		chunk, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		text.WriteString(chunk.Delta.Text)
		answer.add(chunk.Delta)
		if err := emit(chunk); err != nil {
			return fmt.Errorf("%w: %w", errEmit, err)
		}
	}
}

// save outlives the client: what happened is stored even when nobody waits for the answer any more.
func (c *Chat) save(ctx context.Context, exchange *Exchange) error {
	if c.Exchanges == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := c.Exchanges.Save(ctx, exchange); err != nil {
		c.Log.ErrorContext(ctx, "exchange not stored", "request_id", exchange.RequestID, "error", err)
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
	return nil
}

func (c *Chat) lookUp(ctx context.Context, request *ChatRequest, key string) *Completion {
	if request.Cache.NoRead {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, cacheTimeout)
	defer cancel()
	completion, err := c.Cache.Get(ctx, key)
	if err != nil {
		c.Log.WarnContext(ctx, "cache not read", "request_id", request.ID, "error", err)
		return nil
	}
	return completion
}

func (c *Chat) keep(ctx context.Context, key string, completion *Completion) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cacheTimeout)
	defer cancel()
	if err := c.Cache.Put(ctx, key, completion); err != nil {
		c.Log.WarnContext(ctx, "cache not written", "error", err)
	}
}
