package guard

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"agentstack/app/internal/testenv"
)

// servers are real instances. Each listens on a socket, so that the addresses only tell them apart.
type servers map[netip.Addr]Postgres

func (s servers) Probe(ctx context.Context, address netip.Addr) error {
	return s[address].Probe(ctx, address)
}

func (s servers) State(ctx context.Context, address netip.Addr) (State, error) {
	return s[address].State(ctx, address)
}

// TestReplication lets real replicas follow a primary under writes, and then one of them go its own way.
func TestReplication(t *testing.T) {
	t.Parallel()
	first := testenv.NewPostgres(t)
	administer(t, first, "CREATE ROLE guard LOGIN", "CREATE TABLE t (x text)")
	first.Shutdown(t)
	next, stray := first.NewStandby(t), first.NewStandby(t)
	loyal := first.NewStandby(t)
	loyal.Follow(t, next)
	instances := servers{}
	for number, server := range []*testenv.Postgres{first, next, stray, loyal} {
		server.Start(t)
		instance, err := NewPostgres(server.URLOf("guard", "postgres"))
		if err != nil {
			t.Fatal(err)
		}
		instances[address(byte(number+1))] = instance
	}
	c := &cluster{instances: []Instance{one, two, three}}
	g := &Guard{Database: instances, Instances: c, Log: slog.New(slog.DiscardHandler)}
	state := func(instance Instance) State {
		t.Helper()
		state, err := instances.State(t.Context(), instance.Address)
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	eventually(t, "both replicas receive", func() bool { return state(two).Receiving && state(three).Receiving })

	writing, stop := context.WithCancel(t.Context())
	defer stop()
	written := make(chan int)
	go func() { written <- insert(writing, first.URLOf(testenv.Superuser, "postgres")) }()
	for range 200 {
		replicas := []State{state(two), state(three)}
		primary := state(one)
		for _, replica := range replicas {
			if !replica.Standby || primary.Standby || replica.Position > primary.Position {
				t.Fatalf("the primary is at %+v, and a follower at %+v", primary, replica)
			}
		}
	}
	for range 2 * aheadToFence {
		g.watch(t.Context())
	}
	stop()
	if number := <-written; number < 100 {
		t.Errorf("only %d writes", number)
	}
	if len(c.fenced) > 0 {
		t.Fatalf("fenced %v, which follows", c.fenced)
	}

	// Only the stray gets what is written from here, to the end of the segment, and the next primary never does.
	administer(t, next, "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
	eventually(t, "a replica receives nothing", func() bool { return !state(two).Receiving })
	administer(t, first, "INSERT INTO t VALUES ('lost')", "SELECT pg_switch_wal()")
	eventually(t, "the stray is ahead", func() bool { return state(three).Position > state(two).Position })
	first.Stop(t)
	administer(t, next, "SELECT pg_promote()")
	stray.Shutdown(t)
	stray.Follow(t, next)
	stray.Start(t)
	former, leader := one, two
	former.Primary, former.Available, leader.Primary = false, false, true
	c.instances = []Instance{former, leader, three, {Name: "db-4", UID: "uid-4", Address: address(4)}}
	eventually(t, "the stray is fenced", func() bool {
		g.watch(t.Context())
		return len(c.fenced) > 0
	})
	if want := []string{"db-3 of db-2"}; !slices.Equal(c.fenced, want) || len(c.deleted) > 0 {
		t.Errorf("fenced %v, want %v; deleted %v", c.fenced, want, c.deleted)
	}
}

// insert writes until ctx ends and returns how often.
func insert(ctx context.Context, url string) (number int) {
	connection, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0
	}
	defer connection.Close(context.WithoutCancel(ctx))
	for {
		if _, err := connection.Exec(ctx, "INSERT INTO t VALUES (repeat('x', 1000))"); err != nil {
			return number
		}
		number++
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after a minute: %s", what)
		}
	}
}
