package guard

import (
	"context"
	"log/slog"
	"slices"
)

// successesToRearm in a row must come between two deletions. If the next primary cannot write either, the cause is not
// one volume or one network, and to delete one instance after the other would only take the replicas too.
const successesToRearm = 20

// replace deletes the pod of a primary with a fault if another instance can take its place. After an error the next
// round tries again: since a deletion names the pod's UID, it does no harm twice.
func (g *Guard) replace(ctx context.Context, seen sighting) {
	primary, text := seen.primary, g.found.text
	if primary.Terminating {
		// The operator looks for another primary, and how long this one may take to end is somebody else's decision.
		g.reportPrimary(slog.LevelWarn, text+", and its pod is being deleted", primary, seen.err)
		return
	}
	if g.disarmed {
		g.reportPrimary(slog.LevelError, text+", and none could write for long since the last deletion", primary,
			seen.err)
		return
	}
	if !slices.ContainsFunc(seen.others, func(other answer) bool { return other.Available }) {
		g.reportPrimary(slog.LevelWarn, text+", and no other instance could take over", primary, seen.err)
		return
	}
	deleted, err := g.Instances.Delete(ctx, primary)
	if err != nil {
		g.reportPrimary(slog.LevelError, text+", and its pod was not deleted", primary, err)
		return
	}
	g.disarmed, g.rounds = true, 0
	outcome := ": deleted its pod, so that a replica takes its place"
	if !deleted {
		outcome = ", and somebody else deleted its pod"
	}
	g.reportPrimary(slog.LevelError, text+outcome, primary, seen.err, "uid", primary.UID)
}
