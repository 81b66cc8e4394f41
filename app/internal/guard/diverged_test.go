package guard

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// TestDiverged has replicas before and behind the primary, which is at 100.
func TestDiverged(t *testing.T) {
	at := func(position int64) State { return State{Standby: true, Position: position} }
	receiving := State{Standby: true, Receiving: true, Position: 101}
	for _, test := range []struct {
		name            string
		one, two, three State
		four            State // the zero value: there is none
		errs            map[netip.Addr]error
		primary         error
		want            []string
	}{
		{name: "ahead", two: at(101), three: receiving, want: []string{"db-2 of db-1"}},
		{name: "nobody follows the primary", two: at(101), three: at(102)},
		{name: "as far", two: at(100), three: receiving},
		{name: "behind", two: at(99), three: receiving},
		{
			name: "one ahead, one behind, one receives", two: at(99), three: at(101), four: receiving,
			want: []string{"db-3 of db-1"},
		},
		{
			name: "two ahead, one receives", two: at(101), three: at(102), four: receiving,
			want: []string{"db-2 of db-1", "db-3 of db-1"},
		},
		{name: "all receive", two: receiving, three: receiving},
		{name: "another one leads", two: at(101), three: State{Position: 102}, four: receiving},
		{name: "the primary is a standby", one: at(100), two: at(101), three: receiving},
		{name: "the primary refuses", two: at(101), three: receiving, primary: errConnect},
		{name: "the primary cannot write", two: at(101), three: receiving, primary: errRefused},
		{
			name: "the primary does not say", two: at(101), three: receiving,
			errs: map[netip.Addr]error{address(1): errSilent},
		},
		{
			name: "the replica does not say", two: at(101), three: receiving,
			errs: map[netip.Addr]error{address(2): errSilent},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.one == (State{}) {
				test.one.Position = 100
			}
			c := &cluster{instances: []Instance{one, two, three}}
			d := probes(func(context.Context) error { return test.primary })
			d.errs = test.errs
			d.states = map[netip.Addr]State{address(1): test.one, address(2): test.two, address(3): test.three}
			if test.four != (State{}) {
				c.instances = append(c.instances, Instance{Name: "db-4", UID: "uid-4", Address: address(4)})
				d.states[address(4)] = test.four
			}
			g := &Guard{Database: d, Instances: c, Log: slog.New(slog.DiscardHandler)}
			for range aheadToFence - 1 {
				g.watch(t.Context())
			}
			if len(c.fenced) > 0 {
				t.Error("fenced a replica too early")
			}
			for range aheadToFence {
				g.watch(t.Context())
			}
			slices.Sort(c.fenced)
			if !slices.Equal(c.fenced, test.want) {
				t.Errorf("fenced %v, want %v", c.fenced, test.want)
			}
			if len(c.deleted) > 0 && test.primary == nil {
				t.Errorf("deleted %v", c.deleted)
			}
		})
	}
}

// TestDivergedInARow has a replica that is not ahead for one round.
func TestDivergedInARow(t *testing.T) {
	ahead := map[netip.Addr]State{address(1): {Position: 100}, address(2): {Standby: true, Position: 101}}
	for name, interrupt := range map[string]func(*database, *cluster){
		"nobody else receives": func(_ *database, c *cluster) { c.instances = []Instance{one, two} },
		"it receives":          func(d *database, _ *cluster) { d.states = nil },
		"it is not ahead": func(d *database, _ *cluster) {
			d.states = map[netip.Addr]State{address(1): {Position: 101}, address(2): {Standby: true, Position: 101}}
		},
		"the primary fails": func(d *database, _ *cluster) {
			d.probe = func(context.Context) error { return errConnect }
		},
		"another pod": func(_ *database, c *cluster) {
			other := two
			other.UID = "uid-4"
			c.instances = []Instance{one, other, three}
		},
		"another primary": func(_ *database, c *cluster) {
			other := one
			other.UID = "uid-4"
			c.instances = []Instance{other, two, three}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, d := &cluster{}, &database{}
			g := &Guard{Database: d, Instances: c, Log: slog.New(slog.DiscardHandler)}
			inARow(t, g, aheadToFence, &c.fenced, func() {
				d.states, d.probe = ahead, func(context.Context) error { return nil }
				c.instances = []Instance{one, two, three}
			}, func() { interrupt(d, c) })
		})
	}
}

func TestReportsFences(t *testing.T) {
	var log bytes.Buffer
	c := &cluster{instances: []Instance{one, two, three}, fenceErr: errConnect}
	d := probes(func(context.Context) error { return nil })
	d.states = map[netip.Addr]State{address(1): {Position: 100}, address(2): {Standby: true, Position: 101}}
	g := &Guard{Database: d, Instances: c, Log: slog.New(slog.NewTextHandler(&log, nil))}
	for range aheadToFence + 2 {
		g.watch(t.Context())
	}
	c.fenceErr = nil
	for range 3 {
		g.watch(t.Context())
	}
	d.errs = map[netip.Addr]error{address(1): errConnect}
	for range 2 {
		g.watch(t.Context())
	}
	var got []string
	for line := range strings.Lines(log.String()) {
		_, line, _ = strings.Cut(line, " level=")
		got = append(got, strings.TrimSpace(line))
	}
	want := []string{
		`INFO msg="the primary can write" pod=db-1`,
		`WARN msg="` + diverged + `" pod=db-2`,
		`ERROR msg="` + diverged + `, and it was not fenced" pod=db-2 error="connection refused"`,
		`ERROR msg="` + diverged + `: fenced it, and it has to be made anew" pod=db-2`,
		`WARN msg="` + diverged + `, and it is fenced" pod=db-2`,
		`WARN msg="it is not known where the primary is in its log" pod=db-1 error="connection refused"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("log:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
