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
	one        = Instance{Name: "db-1", UID: "uid-1", Address: address(1), Primary: true, Available: true}
	two        = Instance{Name: "db-2", UID: "uid-2", Address: address(2), Available: true}
	three      = Instance{Name: "db-3", UID: "uid-3", Address: address(3), Available: true}
	errConnect = errors.New("connection refused")
	errRefused = fmt.Errorf("%w: read-only", ErrReadOnly)
)

func address(last byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, last}) }

// database answers questions. Without states, every replica receives from the primary.
type database struct {
	probe  func(ctx context.Context) error
	states map[netip.Addr]State
	errs   map[netip.Addr]error
}

func probes(probe func(ctx context.Context) error) *database { return &database{probe: probe} }

func (d *database) Probe(ctx context.Context, _ netip.Addr) error { return d.probe(ctx) }

func (d *database) State(_ context.Context, address netip.Addr) (State, error) {
	state, known := d.states[address]
	if !known {
		state = State{Standby: true, Receiving: true}
	}
	return state, d.errs[address]
}

// promoted are the instances with another primary.
func promoted() []Instance {
	former, next := one, two
	former.Primary, next.Primary = false, true
	return []Instance{former, next}
}

// cluster records deletions and fences.
type cluster struct {
	instances []Instance
	listErr   error
	deleteErr error
	gone      bool
	deleted   []string
	fenceErr  error
	fenced    []string
}

func (c *cluster) List(context.Context) ([]Instance, error) { return c.instances, c.listErr }

func (c *cluster) Delete(_ context.Context, i Instance) (bool, error) {
	c.deleted = append(c.deleted, i.UID)
	return !c.gone, c.deleteErr
}

func (c *cluster) Fence(_ context.Context, i, primary Instance) (bool, error) {
	name := i.Name + " of " + primary.Name
	if c.fenceErr != nil || slices.Contains(c.fenced, name) {
		return false, c.fenceErr
	}
	c.fenced = append(c.fenced, name)
	return true, nil
}

// inARow has a fault that makes the guard act after a number of rounds, and interrupts it for one round just before:
// the guard must count from the beginning.
func inARow(t *testing.T, g *Guard, toAct int, acts *[]string, fault, interrupt func()) {
	t.Helper()
	faulty := func(rounds int) {
		fault()
		for range rounds {
			g.watch(t.Context())
		}
	}
	faulty(toAct - 1)
	interrupt()
	g.watch(t.Context())
	faulty(toAct - 1)
	if len(*acts) > 0 {
		t.Errorf("acted too early, on %v", *acts)
	}
	faulty(1)
	if len(*acts) != 1 {
		t.Errorf("acted on %v", *acts)
	}
}

func TestWatch(t *testing.T) {
	unready, leaving := two, one
	unready.Available, leaving.Terminating = false, true
	// A round is what the probe says, or another primary for the rest of the test.
	type round any
	for _, test := range []struct {
		name    string
		rounds  []round
		cluster cluster
		want    []string // UIDs
	}{
		{"three in a row", []round{nil, errRefused, errRefused, errRefused}, cluster{}, []string{"uid-1"}},
		{"two in a row", []round{errRefused, errRefused}, cluster{}, nil},
		{"a success between", []round{errRefused, errRefused, nil, errRefused, errRefused}, cluster{}, nil},
		{"not known between", []round{errRefused, errRefused, errConnect, errRefused, errRefused}, cluster{}, nil},
		{"not known", []round{errConnect, errConnect, errConnect, errConnect}, cluster{}, nil},
		{"another primary", []round{errRefused, errRefused, promoted(), errRefused, errRefused}, cluster{}, nil},
		{
			"the new primary cannot write",
			[]round{errRefused, errRefused, promoted(), errRefused, errRefused, errRefused},
			cluster{}, []string{"uid-2"},
		},
		{
			"after the deletion",
			[]round{errRefused, errRefused, errRefused, errRefused, errRefused, errRefused, errRefused},
			cluster{}, []string{"uid-1"},
		},
		{
			"somebody else was faster", []round{errRefused, errRefused, errRefused, errRefused, errRefused, errRefused},
			cluster{gone: true}, []string{"uid-1"},
		},
		{
			"the deletion fails", []round{errRefused, errRefused, errRefused, errRefused},
			cluster{deleteErr: errConnect}, []string{"uid-1", "uid-1"},
		},
		{"no list", []round{errRefused, errRefused, errRefused}, cluster{listErr: errConnect}, nil},
		{"no other", []round{errRefused, errRefused, errRefused}, cluster{instances: []Instance{one}}, nil},
		{
			"no other available", []round{errRefused, errRefused, errRefused},
			cluster{instances: []Instance{one, unready}}, nil,
		},
		{
			"deleted by somebody", []round{errRefused, errRefused, errRefused},
			cluster{instances: []Instance{leaving, two}}, nil,
		},
		{"no primary", []round{errRefused, errRefused, errRefused}, cluster{instances: []Instance{two, two}}, nil},
		{
			"two primaries", []round{errRefused, errRefused, errRefused},
			cluster{instances: []Instance{one, one, two}}, nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.cluster.instances == nil {
				test.cluster.instances = []Instance{one, two}
			}
			g := &Guard{Instances: &test.cluster, Log: slog.New(slog.DiscardHandler)}
			for _, round := range test.rounds {
				if instances, changed := round.([]Instance); changed {
					test.cluster.instances = instances
					continue
				}
				err, _ := round.(error)
				g.Database = probes(func(context.Context) error { return err })
				g.watch(t.Context())
			}
			if !slices.Equal(test.cluster.deleted, test.want) {
				t.Errorf("deleted %v, want %v", test.cluster.deleted, test.want)
			}
		})
	}
}

// TestRearm has a primary fail a while after another one was deleted.
func TestRearm(t *testing.T) {
	for healthy, want := range map[int][]string{
		successesToRearm - 1: {"uid-1"},
		successesToRearm:     {"uid-1", "uid-2"},
	} {
		c := &cluster{instances: []Instance{one, two}}
		g := &Guard{Instances: c, Log: slog.New(slog.DiscardHandler)}
		rounds := func(number int, err error) {
			g.Database = probes(func(context.Context) error { return err })
			for range number {
				g.watch(t.Context())
			}
		}
		rounds(refusalsToAct, errRefused)
		c.instances = promoted()
		rounds(successesToRearm-1, nil)
		rounds(1, errConnect)
		rounds(healthy, nil)
		rounds(3*refusalsToAct, errRefused)
		if !slices.Equal(c.deleted, want) {
			t.Errorf("deleted %v after %d successes, want %v", c.deleted, healthy, want)
		}
	}
}

func TestLivez(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hangs atomic.Bool
		g := &Guard{
			Instances: &cluster{instances: []Instance{one, two}}, Log: slog.New(slog.DiscardHandler),
			Database: probes(func(ctx context.Context) error {
				if hangs.Load() {
					<-ctx.Done()
				}
				return errConnect
			}),
		}
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
		time.Sleep(time.Hour + interval/2)
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
		g.Database = probes(func(context.Context) error { return err })
		g.watch(t.Context())
	}
	for i := range 4 {
		round(fmt.Errorf("from port %d: %w", i, errConnect))
	}
	for range 4 {
		round(nil)
	}
	for _, code := range []string{"53300", "53300", "57P03"} {
		round(&pgconn.PgError{Code: code})
	}
	for range 9 {
		round(errRefused)
	}
	for _, instances := range [][]Instance{promoted(), {one, two}} {
		c.instances = instances
		round(nil)
	}
	c.listErr = errConnect
	round(nil)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	g.Database = probes(func(ctx context.Context) error { return ctx.Err() })
	g.watch(ctx)
	var got []string
	for line := range strings.Lines(log.String()) {
		_, line, _ = strings.Cut(line, " level=")
		got = append(got, strings.TrimSpace(line))
	}
	const refusal = `pod=db-1 error="its file system refuses writes: read-only"`
	want := []string{
		`WARN msg="it is not known whether the primary can write" pod=db-1 error="from port 0: connection refused"`,
		`INFO msg="the primary can write" pod=db-1`,
		`WARN msg="it is not known whether the primary can write" pod=db-1 error=":  (SQLSTATE 53300)"`,
		`WARN msg="it is not known whether the primary can write" pod=db-1 error=":  (SQLSTATE 57P03)"`,
		`WARN msg="the primary cannot write" ` + refusal,
		`ERROR msg="the primary cannot write: deleted its pod, so that a replica takes its place" uid=uid-1 ` + refusal,
		`WARN msg="the primary cannot write" ` + refusal,
		`ERROR msg="the primary cannot write, and none could write for long since the last deletion" ` + refusal,
		`INFO msg="the primary can write" pod=db-2`,
		`INFO msg="the primary can write" pod=db-1`,
		`WARN msg="it is not known whether the primary can write" error="connection refused"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("log:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
