package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// look asks the primary, and then all others at once.
func (g *Guard) look(ctx context.Context) sighting {
	all, err := g.Instances.List(ctx)
	if err != nil {
		return sighting{err: err}
	}
	var seen sighting
	primaries := 0
	for _, instance := range all {
		if instance.Primary {
			seen.primary = instance
			primaries++
		} else {
			seen.others = append(seen.others, answer{Instance: instance})
		}
	}
	if primaries != 1 {
		return sighting{err: fmt.Errorf("%d of %d instances are the primary", primaries, len(all))}
	}
	seen.err = g.Database.Probe(ctx, seen.primary.Address)
	var answers sync.WaitGroup
	for i := range seen.others {
		answers.Go(func() {
			other := &seen.others[i]
			other.State, other.err = g.Database.State(ctx, other.Address)
		})
	}
	answers.Wait()
	return seen
}

// reportPrimary logs what a round found about the primary.
func (g *Guard) reportPrimary(level slog.Level, message string, primary Instance, err error, args ...any) {
	g.report("the primary", level, message, primary, err, args...)
}

// report logs what a round found about somebody unless it is what was found about them before.
func (g *Guard) report(about string, level slog.Level, message string, instance Instance, err error, args ...any) {
	// The texts of errors differ from round to round, by the ports of connections; SQLSTATEs do not.
	found := message + instance.UID
	var refusal interface{ SQLState() string }
	if errors.As(err, &refusal) {
		found += refusal.SQLState()
	}
	if found == g.reported[about] {
		return
	}
	if g.reported == nil {
		g.reported = map[string]string{}
	}
	g.reported[about] = found
	if instance.Name != "" {
		args = append(args, "pod", instance.Name)
	}
	if err != nil {
		args = append(args, "error", err)
	}
	g.Log.Log(context.Background(), level, message, args...)
}
