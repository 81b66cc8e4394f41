package guard

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
)

var errSilent = fmt.Errorf("%w: i/o timeout", ErrNoAnswer)

// alone is the state of a replica that receives nothing.
var alone = State{Standby: true}

// TestCutOff has a primary that does not answer, and replicas that say different things about it.
func TestCutOff(t *testing.T) {
	unready := three
	unready.Available = false
	leaving := one
	leaving.Terminating = true
	receiving, leading := State{Standby: true, Receiving: true}, State{}
	for _, test := range []struct {
		name      string
		instances []Instance // nil: all three
		two       State
		three     State
		errs      map[netip.Addr]error
		primary   error // nil: silent
		keep      bool
		want      bool
	}{
		{name: "nobody receives", two: alone, three: alone, want: true},
		{name: "all receive", two: receiving, three: receiving},
		{name: "one receives", two: alone, three: receiving},
		{name: "the other receives", two: receiving, three: alone},
		{name: "another one leads", two: alone, three: leading},
		{name: "commits may be on the primary alone", two: alone, three: alone, keep: true},
		{name: "the primary refuses", two: alone, three: alone, primary: errConnect},
		{name: "a ready one is silent, too", two: alone, errs: map[netip.Addr]error{address(3): errSilent}},
		{
			name: "the guard is cut off", two: alone, three: alone,
			errs: map[netip.Addr]error{address(2): errSilent, address(3): errSilent},
		},
		{
			name: "one that is not ready is silent, too", instances: []Instance{one, two, unready}, two: alone,
			errs: map[netip.Addr]error{address(3): errSilent}, want: true,
		},
		{
			name: "one that is not ready receives", instances: []Instance{one, two, unready}, two: alone,
			three: receiving,
		},
		{name: "nobody could take over", instances: []Instance{one, unready}, three: alone},
		{name: "there is nobody else", instances: []Instance{one}},
		{name: "deleted by somebody", instances: []Instance{leaving, two, three}, two: alone, three: alone},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.instances == nil {
				test.instances = []Instance{one, two, three}
			}
			if test.primary == nil {
				test.primary = errSilent
			}
			c := &cluster{instances: test.instances}
			d := probes(func(context.Context) error { return test.primary })
			d.states, d.errs = map[netip.Addr]State{address(2): test.two, address(3): test.three}, test.errs
			g := &Guard{Database: d, Instances: c, Log: slog.New(slog.DiscardHandler), ReplaceCutOff: !test.keep}
			for range silencesToAct - 1 {
				g.watch(t.Context())
			}
			if len(c.deleted) > 0 {
				t.Error("deleted a pod too early")
			}
			for range 5 * silencesToAct {
				g.watch(t.Context())
			}
			var want []string
			if test.want {
				want = []string{one.UID}
			}
			if !slices.Equal(c.deleted, want) || len(c.fenced) > 0 {
				t.Errorf("deleted %v, want %v; fenced %v", c.deleted, want, c.fenced)
			}
		})
	}
}

// TestCutOffInARow interrupts the silence.
func TestCutOffInARow(t *testing.T) {
	probing := func(err error) func(*database, *cluster) {
		return func(d *database, _ *cluster) { d.probe = func(context.Context) error { return err } }
	}
	for name, interrupt := range map[string]func(*database, *cluster){
		"an answer":       probing(nil),
		"a refusal":       probing(errConnect),
		"another fault":   probing(errRefused),
		"a receiver":      func(d *database, _ *cluster) { d.states = nil },
		"another primary": func(_ *database, c *cluster) { c.instances = promoted() },
		"no list":         func(_ *database, c *cluster) { c.listErr = errConnect },
	} {
		t.Run(name, func(t *testing.T) {
			c, d := &cluster{}, &database{}
			g := &Guard{Database: d, Instances: c, Log: slog.New(slog.DiscardHandler), ReplaceCutOff: true}
			inARow(t, g, silencesToAct, &c.deleted, func() {
				d.probe = func(context.Context) error { return errSilent }
				d.states = map[netip.Addr]State{address(1): alone, address(2): alone}
				c.instances, c.listErr = []Instance{one, two}, nil
			}, func() { interrupt(d, c) })
		})
	}
}

// TestOneDeletionForAllFaults has the next primary fail in another way.
func TestOneDeletionForAllFaults(t *testing.T) {
	c, failure := &cluster{instances: []Instance{one, two}}, errSilent
	d := probes(func(context.Context) error { return failure })
	d.states = map[netip.Addr]State{address(1): alone, address(2): alone}
	g := &Guard{Database: d, Instances: c, Log: slog.New(slog.DiscardHandler), ReplaceCutOff: true}
	rounds := func(err error) {
		failure = err
		for range 3 * max(silencesToAct, refusalsToAct) {
			g.watch(t.Context())
		}
	}
	rounds(errSilent)
	c.instances = promoted()
	rounds(errRefused)
	rounds(errSilent)
	if !slices.Equal(c.deleted, []string{one.UID}) {
		t.Errorf("deleted %v", c.deleted)
	}
}
