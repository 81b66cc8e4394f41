package guard

import (
	"context"
	"log/slog"
)

// aheadToFence rounds in a row make the guard act. They are twice the five seconds after which a replica that follows
// nobody tries again (wal_retrieve_retry_interval).
const aheadToFence = 10

// pair are the UIDs of a primary and of a replica that is ahead of it.
type pair struct{ primary, replica string }

// fenceDiverged fences replicas with a part of the log that the primary never had: one that was cut off can leave it
// behind, in the archive too, from where others take it. Such a replica is ready and follows nobody, and its log is the
// longest, so that the operator would promote it next, and what the primary has acknowledged since would be lost.
//
// A replica that has only what the primary wrote is never ahead of it, whatever it is doing, since the primary is asked
// after it. A replica whose own part the primary's log has outgrown meanwhile cannot be told like this from one that
// has to catch up.
func (g *Guard) fenceDiverged(ctx context.Context, seen sighting) {
	before := g.ahead
	g.ahead = map[pair]int{}
	stray := seen.stray()
	if len(stray) == 0 {
		return
	}
	primary, err := g.Database.State(ctx, seen.primary.Address)
	if err != nil {
		g.report("replicas", slog.LevelWarn, "it is not known where the primary is in its log", seen.primary, err)
		return
	}
	if primary.Standby { // of another region, or no longer the primary
		return
	}
	for _, replica := range stray {
		if replica.Position <= primary.Position {
			continue
		}
		key := pair{seen.primary.UID, replica.UID}
		g.ahead[key] = before[key] + 1
		if g.ahead[key] < aheadToFence {
			g.report(replica.Name, slog.LevelWarn, diverged, replica.Instance, nil)
			continue
		}
		g.fence(ctx, replica.Instance, seen.primary)
	}
}

// stray returns the replicas that receive nothing while the primary is well and another replica receives from it. If
// none does, it may be the primary that lost a part of its log, and the replicas are right. There are none either while
// two instances are no standbys: until the operator has made up its mind, it is not known whom to follow.
func (s sighting) stray() []answer {
	if s.err != nil {
		return nil
	}
	var stray []answer
	followed := false
	for _, other := range s.others {
		switch {
		case other.err != nil:
		case !other.Standby:
			return nil
		case other.Receiving:
			followed = true
		default:
			stray = append(stray, other)
		}
	}
	if !followed {
		return nil
	}
	return stray
}

const diverged = "a replica that follows nobody has what the primary never had"

func (g *Guard) fence(ctx context.Context, replica, primary Instance) {
	fenced, err := g.Instances.Fence(ctx, replica, primary)
	switch {
	case err != nil:
		g.report(replica.Name, slog.LevelError, diverged+", and it was not fenced", replica, err)
	case fenced:
		g.report(replica.Name, slog.LevelError, diverged+": fenced it, and it has to be made anew", replica, nil)
	default:
		g.report(replica.Name, slog.LevelWarn, diverged+", and it is fenced", replica, nil)
	}
}
