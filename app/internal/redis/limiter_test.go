package redis

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"agentstack/app/internal/testenv"
)

// replica is a limiter with a client of its own.
type replica struct {
	*Limiter
	client    *Client
	unchecked atomic.Int64
	warnings  buffer
}

func newReplica(t *testing.T, cluster *testenv.RedisCluster) *replica {
	t.Helper()
	r := &replica{client: newClient(t, cluster, Options{})}
	log := slog.New(slog.NewTextHandler(io.Writer(&r.warnings), nil))
	r.Limiter = NewLimiter(r.client, func() { r.unchecked.Add(1) }, log)
	return r
}

// allowed counts how many of many requests over all replicas at once pass.
func allowed(t *testing.T, replicas []*replica, requests int, ask func(*replica) error) int {
	t.Helper()
	var passed atomic.Int64
	var group sync.WaitGroup
	for i := range requests {
		group.Go(func() {
			if ask(replicas[i%len(replicas)]) == nil {
				passed.Add(1)
			}
		})
	}
	group.Wait()
	for _, r := range replicas {
		if n := r.unchecked.Load(); n > 0 {
			t.Fatalf("%d requests were not checked: the test says nothing", n)
		}
	}
	return int(passed.Load())
}

func TestLimitsOverReplicas(t *testing.T) {
	cluster := testenv.NewRedisCluster(t)
	replicas := exact(newReplica(t, cluster), newReplica(t, cluster))
	ctx := t.Context()

	// One more comes every 20 s, which is longer than this takes.
	if got := allowed(t, replicas, 60, func(r *replica) error { return r.Allow(ctx, "key:a", 3) }); got != 3 {
		t.Errorf("%d of 60 requests passed a limit of 3", got)
	}
	if wait := wantCode(t, replicas[0].Allow(ctx, "key:a", 3), "rate_limit_exceeded"); wait > 20*time.Second {
		t.Errorf("retry after %s", wait)
	}
	if err := replicas[0].Allow(ctx, "key:b", 3); err != nil {
		t.Errorf("another bucket: %v", err)
	}

	// 3 tokens each, of 100: 33 of them.
	got := allowed(t, replicas, 60, func(r *replica) error { return r.Reserve(ctx, "key:a", 100, 3) })
	if got != 33 {
		t.Errorf("%d of 60 reservations of 3 passed a budget of 100", got)
	}
	wantCode(t, replicas[1].Reserve(ctx, "key:a", 100, 2), "token_budget_exceeded")
	if err := replicas[1].Reserve(ctx, "key:a", 100, 1); err != nil {
		t.Errorf("the last token: %v", err)
	}
	if err := replicas[1].Reserve(ctx, "key:b", 100, 100); err != nil {
		t.Errorf("another bucket: %v", err)
	}
}

// exact makes replicas wait for Redis as long as it takes, so that no machine is too slow for exact numbers.
func exact(replicas ...*replica) []*replica {
	for _, r := range replicas {
		r.timeout = waitTimeout
	}
	return replicas
}

// warm makes every node known and connected, which may take longer than a limiter waits.
func (r *replica) warm(t *testing.T) {
	t.Helper()
	for i := range 9 {
		eventually(t, "a bucket answers", func() bool {
			before := r.unchecked.Swap(0)
			_ = r.Allow(t.Context(), "warm:"+strconv.Itoa(i), 1_000_000)
			_ = r.Settle(t.Context(), "warm:"+strconv.Itoa(i), 1)
			return before == 0 && r.unchecked.Load() == 0
		})
	}
}

func TestRequestsComeBack(t *testing.T) {
	r := exact(newReplica(t, testenv.NewRedisCluster(t)))[0]
	eventually(t, "the burst is over", func() bool { return r.Allow(t.Context(), "key:a", 60) != nil })
	eventually(t, "another one passes", func() bool { return r.Allow(t.Context(), "key:a", 60) == nil })
	if n := r.unchecked.Load(); n > 0 {
		t.Errorf("%d requests were not checked", n)
	}
}

func TestBudget(t *testing.T) {
	r := exact(newReplica(t, testenv.NewRedisCluster(t)))[0]
	ctx := t.Context()
	clock := time.Date(2026, 3, 1, 4, 59, 50, 0, time.FixedZone("", 5*60*60)) // 28 February in UTC
	r.now = func() time.Time { return clock }

	reserve := func(tokens int64) error { return r.Reserve(ctx, "key:a", 100, tokens) }
	if err := reserve(80); err != nil {
		t.Fatal(err)
	}
	if wait := wantCode(t, reserve(21), "token_budget_exceeded"); wait != 10*time.Second {
		t.Errorf("retry after %s, 10 s before midnight", wait)
	}
	if err := r.Settle(ctx, "key:a", -60); err != nil { // 20 are used
		t.Fatal(err)
	}
	if err := reserve(80); err != nil {
		t.Errorf("what was settled is free again: %v", err)
	}
	if err := r.Settle(ctx, "key:a", 1000); err != nil {
		t.Fatal(err)
	}
	wantCode(t, reserve(1), "token_budget_exceeded")

	clock = clock.Add(10 * time.Second)
	if err := reserve(100); err != nil {
		t.Errorf("a new day: %v", err)
	}
	wantCode(t, reserve(1), "token_budget_exceeded")
	// More than was reserved, as when reservations passed unchecked: no credit comes of it.
	if err := r.Settle(ctx, "key:a", -500); err != nil {
		t.Fatal(err)
	}
	if err := reserve(100); err != nil {
		t.Error(err)
	}
	wantCode(t, reserve(1), "token_budget_exceeded")
	for _, day := range []string{"2026-02-28", "2026-03-01"} {
		ttl := r.client.cluster.TTL(ctx, budgetPrefix+"key:a:"+day).Val()
		if ttl < budgetTTL-time.Minute || ttl > budgetTTL {
			t.Errorf("the count of %s expires after %s", day, ttl)
		}
	}
	if n := r.unchecked.Load(); n > 0 {
		t.Errorf("%d requests were not checked", n)
	}
}

// Redis may be slow or away for as long as it likes: requests pass, and soon.
func TestLimiterWithoutRedis(t *testing.T) {
	for name, fail := range map[string]func(*testing.T, *testenv.RedisCluster){
		"one node killed": func(_ *testing.T, c *testenv.RedisCluster) { c.StopNode(1) },
		"all killed":      func(_ *testing.T, c *testenv.RedisCluster) { c.Stop() },
		"all hang":        func(t *testing.T, c *testenv.RedisCluster) { c.Pause(t) },
	} {
		t.Run(name, func(t *testing.T) {
			cluster := testenv.NewRedisCluster(t)
			r := newReplica(t, cluster)
			r.warm(t)
			fail(t, cluster)
			started := time.Now()
			for i := range 30 { // over every node
				bucket := "key:" + string(rune('a'+i))
				for call, ask := range map[string]func() error{
					"allow":   func() error { return r.Allow(t.Context(), bucket, 60) },
					"reserve": func() error { return r.Reserve(t.Context(), bucket, 60, 1) },
					"settle":  func() error { return r.Settle(t.Context(), bucket, 1) },
				} {
					start := time.Now()
					if err := ask(); err != nil {
						t.Errorf("%s: %v", call, err)
					}
					if took := time.Since(start); took > 700*time.Millisecond {
						t.Errorf("%s took %s", call, took)
					}
				}
			}
			if r.unchecked.Load() == 0 {
				t.Error("nothing was passed unchecked")
			}
			warnings, most := r.warnings.count("limits are not checked"), int(time.Since(started)/warnInterval)+1
			if warnings == 0 || warnings > most {
				t.Errorf("%d warnings, want 1 to %d", warnings, most)
			}
		})
	}
}

func TestLimiterBeforeRedis(t *testing.T) {
	cluster := testenv.InitRedisCluster(t)
	client := NewClient(Options{Addrs: cluster.Addrs(), Password: testenv.Secret}, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = client.Close() })
	var unchecked atomic.Int64
	limiter := NewLimiter(client, func() { unchecked.Add(1) }, slog.New(slog.DiscardHandler))
	for range 3 {
		if err := limiter.Allow(t.Context(), "key:a", 1); err != nil {
			t.Error(err)
		}
	}
	if unchecked.Load() != 3 {
		t.Errorf("%d of 3 requests were counted as unchecked", unchecked.Load())
	}
	cluster.Start(t)
	eventually(t, "limits hold once Redis is there", func() bool {
		return limiter.Allow(t.Context(), "key:a", 1) != nil
	})
}

// A client that has gone says nothing of Redis.
func TestLimiterOfCancelledRequest(t *testing.T) {
	r := exact(newReplica(t, testenv.NewRedisCluster(t)))[0]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Allow(ctx, "key:a", 1); err != nil {
		t.Error(err)
	}
	if r.unchecked.Load() > 0 || r.warnings.count("limits") > 0 {
		t.Error("it was counted as unchecked")
	}
}
