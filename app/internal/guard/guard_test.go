package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	one = Instance{
		Name: "db-1", UID: "uid-1", Address: netip.MustParseAddr("10.0.0.1"), Running: true, Available: true,
	}
	two = Instance{
		Name: "db-2", UID: "uid-2", Address: netip.MustParseAddr("10.0.0.2"), Running: true, Available: true,
	}
	errConnect = errors.New("connection refused")
)

func cannotWrite(i Instance) error {
	return &ReadOnlyError{i.Address, errors.New("read-only file system")}
}

// primary answers probes.
type primary func(ctx context.Context) error

func (p primary) Probe(ctx context.Context) error { return p(ctx) }

// cluster records deletions.
type cluster struct {
	instances []Instance
	listErr   error
	deleteErr error
	gone      bool
	deleted   []string
}

func (c *cluster) List(context.Context) ([]Instance, error) { return c.instances, c.listErr }

func (c *cluster) Delete(_ context.Context, i Instance) (bool, error) {
	c.deleted = append(c.deleted, i.UID)
	return !c.gone, c.deleteErr
}

func TestWatch(t *testing.T) {
	refuses := cannotWrite(one)
	unready, terminated, pending := two, one, two
	unready.Available = false
	terminated.Name, terminated.UID, terminated.Running, terminated.Available = "db-0", "uid-0", false, false
	pending.Address, pending.Running, pending.Available = netip.Addr{}, false, false
	for _, test := range []struct {
		name    string
		probes  []error
		cluster cluster
		want    []string // UIDs
	}{
		{"three in a row", []error{nil, refuses, refuses, refuses}, cluster{}, []string{"uid-1"}},
		{"two in a row", []error{refuses, refuses}, cluster{}, nil},
		{"a success between", []error{refuses, refuses, nil, refuses, refuses}, cluster{}, nil},
		{"not known between", []error{refuses, refuses, errConnect, refuses, refuses}, cluster{}, nil},
		{"not known", []error{errConnect, errConnect, errConnect, errConnect}, cluster{}, nil},
		{"another primary between", []error{refuses, refuses, cannotWrite(two), refuses, refuses}, cluster{}, nil},
		{
			"the new primary cannot write",
			[]error{refuses, refuses, cannotWrite(two), cannotWrite(two), cannotWrite(two)},
			cluster{}, []string{"uid-2"},
		},
		{
			"after the deletion", []error{refuses, refuses, refuses, refuses, refuses, refuses, refuses},
			cluster{}, []string{"uid-1"},
		},
		{
			"somebody else was faster", []error{refuses, refuses, refuses, refuses, refuses, refuses},
			cluster{gone: true}, []string{"uid-1"},
		},
		{
			"the deletion fails", []error{refuses, refuses, refuses, refuses},
			cluster{deleteErr: errConnect}, []string{"uid-1", "uid-1"},
		},
		{"no list", []error{refuses, refuses, refuses}, cluster{listErr: errConnect}, nil},
		{"no other instance", []error{refuses, refuses, refuses}, cluster{instances: []Instance{one}}, nil},
		{
			"no other available", []error{refuses, refuses, refuses},
			cluster{instances: []Instance{one, unready, pending}}, nil,
		},
		{"not of this cluster", []error{refuses, refuses, refuses}, cluster{instances: []Instance{two}}, nil},
		{
			"an address used before", []error{refuses, refuses, refuses},
			cluster{instances: []Instance{terminated, one, two}}, []string{"uid-1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.cluster.instances == nil && test.cluster.listErr == nil {
				test.cluster.instances = []Instance{one, two}
			}
			g := &Guard{Instances: &test.cluster, Log: slog.New(slog.DiscardHandler)}
			for _, err := range test.probes {
				g.Primary = primary(func(context.Context) error { return err })
				g.watch(t.Context())
			}
			if !slices.Equal(test.cluster.deleted, test.want) {
				t.Errorf("deleted %v, want %v", test.cluster.deleted, test.want)
			}
		})
	}
}

// sleep lets the other goroutines of the bubble do what they do until then.
func sleep(duration time.Duration) {
	time.Sleep(duration)
	synctest.Wait()
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var current atomic.Pointer[Instance]
		current.Store(&one)
		c := &cluster{instances: []Instance{one, two}}
		g := &Guard{
			Primary:   primary(func(context.Context) error { return cannotWrite(*current.Load()) }),
			Instances: c, Log: slog.New(slog.DiscardHandler),
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go g.Run(ctx)
		sleep(2*interval + time.Second)
		if !slices.Equal(c.deleted, []string{"uid-1"}) {
			t.Fatalf("deleted %v", c.deleted)
		}
		current.Store(&two)
		sleep(pause - 2*time.Second)
		if len(c.deleted) != 1 {
			t.Fatalf("deleted %v within the pause", c.deleted)
		}
		sleep(2 * interval)
		if !slices.Equal(c.deleted, []string{"uid-1", "uid-2"}) {
			t.Errorf("deleted %v after the pause", c.deleted)
		}
	})
}

func TestLivez(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hangs atomic.Bool
		g := &Guard{Log: slog.New(slog.DiscardHandler), Primary: primary(func(ctx context.Context) error {
			if hangs.Load() {
				<-ctx.Done()
			}
			return errConnect
		})}
		expect := func(when string, want int) {
			t.Helper()
			answer := httptest.NewRecorder()
			g.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/livez", nil))
			if answer.Code != want {
				t.Errorf("%s: %d, want %d", when, answer.Code, want)
			}
		}
		expect("before the start", http.StatusServiceUnavailable)
		ctx, stop := context.WithCancel(t.Context())
		go g.Run(ctx)
		time.Sleep(time.Hour + time.Second)
		expect("nobody answers", http.StatusOK)
		hangs.Store(true)
		time.Sleep(liveTimeout)
		expect("a round takes long", http.StatusOK)
		time.Sleep(interval)
		expect("a round hangs", http.StatusServiceUnavailable)
		stop()
		synctest.Wait() // Run has ended, or the test hangs
	})
}

func TestReportsChanges(t *testing.T) {
	var log bytes.Buffer
	c := &cluster{instances: []Instance{one, two}}
	g := &Guard{Instances: c, Log: slog.New(slog.NewTextHandler(&log, nil))}
	round := func(err error) {
		g.Primary = primary(func(context.Context) error { return err })
		g.watch(t.Context())
	}
	for i := range 4 {
		round(fmt.Errorf("from port %d: %w", i, errConnect))
	}
	for range 4 {
		round(nil)
	}
	for range 2 {
		round(&pgconn.PgError{Code: "42501"})
		round(&pgconn.PgError{Code: "53300"})
	}
	for range 2 {
		round(cannotWrite(two))
	}
	for range 9 {
		round(cannotWrite(one))
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	g.Primary = primary(func(ctx context.Context) error { return ctx.Err() })
	g.watch(ctx)
	var got []string
	for line := range strings.Lines(log.String()) {
		_, line, _ = strings.Cut(line, " level=")
		got = append(got, strings.TrimSpace(line))
	}
	const refusal = `error="file system of 10.0.0.1: read-only file system"`
	want := []string{
		`WARN msg="it is not known whether the primary can write" error="from port 0: connection refused"`,
		`INFO msg="the primary can write"`,
		`WARN msg="it is not known whether the primary can write" error=":  (SQLSTATE 42501)"`,
		`WARN msg="it is not known whether the primary can write" error=":  (SQLSTATE 53300)"`,
		`WARN msg="it is not known whether the primary can write" error=":  (SQLSTATE 42501)"`,
		`WARN msg="it is not known whether the primary can write" error=":  (SQLSTATE 53300)"`,
		`WARN msg="the primary cannot write" error="file system of 10.0.0.2: read-only file system"`,
		`WARN msg="the primary cannot write" ` + refusal,
		`ERROR msg="the primary cannot write: deleted its pod, so that a replica takes its place" pod=db-1 uid=uid-1 ` +
			refusal,
		`WARN msg="the primary cannot write" ` + refusal,
		`ERROR msg="the primary cannot write, and it is too early for another deletion" notBefore=` +
			g.deletedAt.Add(pause).Format("2006-01-02T15:04:05.000Z07:00") + " " + refusal,
	}
	if !slices.Equal(got, want) {
		t.Errorf("log:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
