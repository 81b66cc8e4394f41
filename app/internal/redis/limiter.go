package redis

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"agentstack/app/problem"
)

const (
	// requestPrefix comes after redis_rate's own "rate:". Every key here is used alone, so any slot will do.
	requestPrefix = "ai-agent:requests:v1:"
	budgetPrefix  = "ai-agent:tokens:v1:"
	// budgetTTL keeps a day's count until the day is over wherever clocks differ.
	budgetTTL = 48 * time.Hour
	// limitTimeout bounds what a sick Redis may cost a request.
	limitTimeout = 200 * time.Millisecond
	// warnInterval bounds how often it is logged that limits are not checked.
	warnInterval = time.Second
)

// reserve adds ARGV[2] to the count unless that makes it more than ARGV[1]; it returns 1 when it did.
var reserve = redis.NewScript(`
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
if used + tonumber(ARGV[2]) > tonumber(ARGV[1]) then return 0 end
redis.call('INCRBY', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
`)

// settle corrects the count by ARGV[1]. A reservation that was let pass unchecked is not in it, so it stops at 0.
var settle = redis.NewScript(`
if redis.call('INCRBY', KEYS[1], ARGV[1]) < 0 then redis.call('SET', KEYS[1], '0') end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
`)

// Limiter is an account.Limiter. When Redis does not answer within 200 ms, requests pass.
type Limiter struct {
	client    *Client
	requests  *redis_rate.Limiter
	unchecked func()
	log       *slog.Logger
	timeout   time.Duration
	now       func() time.Time
	warned    atomic.Int64 // Unix time in ns
}

// NewLimiter returns a limiter that calls unchecked for each check that it could not make.
func NewLimiter(client *Client, unchecked func(), log *slog.Logger) *Limiter {
	return &Limiter{
		client:    client,
		requests:  redis_rate.NewLimiter(client.cluster),
		unchecked: unchecked,
		log:       log,
		timeout:   limitTimeout,
		now:       time.Now,
	}
}

// Allow implements account.Limiter by the generic cell rate algorithm: perMinute at once, and one more every
// minute/perMinute.
func (l *Limiter) Allow(ctx context.Context, bucket string, perMinute int) error {
	perMinute = max(perMinute, 1)
	var result *redis_rate.Result
	checked := l.ask(ctx, func(ctx context.Context) (err error) {
		result, err = l.requests.Allow(ctx, requestPrefix+bucket, redis_rate.PerMinute(perMinute))
		return err
	})
	if !checked || result.Allowed > 0 {
		return nil
	}
	return &problem.Error{
		Kind:       problem.Limited,
		Code:       "rate_limit_exceeded",
		Message:    fmt.Sprintf("The limit of %d requests per minute is reached.", perMinute),
		RetryAfter: result.RetryAfter,
	}
}

// Reserve implements account.Limiter.
func (l *Limiter) Reserve(ctx context.Context, bucket string, perDay, tokens int64) error {
	now := l.now().UTC()
	var taken int
	checked := l.ask(ctx, func(ctx context.Context) (err error) {
		taken, err = reserve.Run(ctx, l.client.cluster, []string{budgetKey(bucket, now)},
			perDay, tokens, int(budgetTTL.Seconds())).Int()
		return err
	})
	if !checked || taken == 1 {
		return nil
	}
	return &problem.Error{
		Kind:       problem.Limited,
		Code:       "token_budget_exceeded",
		Message:    fmt.Sprintf("The budget of %d tokens per day (UTC) is used up.", perDay),
		RetryAfter: now.Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now),
	}
}

// Settle implements account.Limiter. It returns nil: what it could not do is logged and counted.
func (l *Limiter) Settle(ctx context.Context, bucket string, difference int64) error {
	l.ask(ctx, func(ctx context.Context) error {
		return settle.Run(ctx, l.client.cluster, []string{budgetKey(bucket, l.now().UTC())},
			difference, int(budgetTTL.Seconds())).Err()
	})
	return nil
}

func budgetKey(bucket string, now time.Time) string {
	return budgetPrefix + bucket + ":" + now.Format(time.DateOnly)
}

// ask runs a check and tells whether it was made. It does not wait for a Redis that is known to be away.
func (l *Limiter) ask(caller context.Context, check func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(caller, l.timeout)
	defer cancel()
	err := l.client.Ready(ctx)
	if err == nil {
		err = check(ctx)
	}
	if err == nil {
		return true
	}
	if caller.Err() != nil {
		return false // who asked has gone, which says nothing of Redis
	}
	l.unchecked()
	now := time.Now().UnixNano()
	if last := l.warned.Load(); now-last >= int64(warnInterval) && l.warned.CompareAndSwap(last, now) {
		l.log.WarnContext(ctx, "limits are not checked", "error", err)
	}
	return false
}
