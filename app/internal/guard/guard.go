// Package guard watches a PostgreSQL cluster for three faults for which its operator does nothing, or only late:
//
//   - a primary that answers and cannot write, since the kernel made its data volume read-only (readonly.go),
//   - a primary that is cut off from everybody (cutoff.go),
//   - a replica with a history of its own, which would be the next primary (diverged.go).
//
// Of a primary it deletes the pod, so that the operator promotes a replica, and a replica it fences. A round looks at
// all instances, decides, and acts.
package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	// interval is the time between the starts of two rounds.
	interval = time.Second
	// liveTimeout is the age of the last round at which the guard counts as stuck. The timeouts of a round's calls add
	// up to less, unless it has several replicas to fence.
	liveTimeout = 30 * time.Second
)

// Database knows how to ask an instance.
type Database interface {
	// Probe makes the instance at an address write into its data directory. The error is an ErrReadOnly only if the
	// file system refused that, and an ErrNoAnswer only if nobody answered; any other error leaves open whether it
	// would.
	Probe(ctx context.Context, address netip.Addr) error
	// State asks the instance at an address where it is in the log.
	State(ctx context.Context, address netip.Addr) (State, error)
}

// State is what an instance says of itself.
type State struct {
	Standby   bool  // replays what another one wrote
	Receiving bool  // has a connection to another one by which it gets that
	Position  int64 // in bytes since the beginning of the log: the end of all that it has of it
}

// Instances are the pods of the cluster.
type Instances interface {
	// List returns all of them.
	List(ctx context.Context) ([]Instance, error)
	// Delete deletes the pod with this very UID. False: it was gone already.
	Delete(ctx context.Context, instance Instance) (bool, error)
	// Fence has the operator stop PostgreSQL in an instance, and elect it no more. It is an error unless the operator,
	// too, takes the primary for that and has no other one in mind. False: the instance was fenced already.
	Fence(ctx context.Context, instance, primary Instance) (bool, error)
}

// Instance is a pod of the cluster.
type Instance struct {
	Name, UID   string
	Address     netip.Addr // the zero value: none yet
	Primary     bool       // runs, and the operator has writers sent there
	Available   bool       // ready and not being deleted
	Terminating bool       // being deleted
}

// Guard watches a cluster. Its fields are set before Run.
type Guard struct {
	Database  Database
	Instances Instances
	Log       *slog.Logger
	// ReplaceCutOff has a primary replaced that is cut off. It must be false where a commit may be acknowledged that no
	// replica has.
	ReplaceCutOff bool

	suspect   string // UID of the primary of the last round
	found     *fault // in the last round, of that primary; nil: none
	rounds    int    // in a row with that
	successes int    // in a row
	disarmed  bool   // by a deletion
	ahead     map[pair]int
	reported  map[string]string
	round     atomic.Pointer[time.Time] // when the last one began
}

// fault is a reason to replace a primary.
type fault struct {
	text   string
	rounds int // in a row, with the same primary, make the guard act
}

// sighting is what a round found.
type sighting struct {
	primary Instance
	others  []answer
	err     error // why it is not known that the primary can write
}

// answer is an instance with its state, or why that is not known.
type answer struct {
	Instance
	State
	err error
}

// Run watches until ctx ends.
func (g *Guard) Run(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		now := time.Now()
		g.round.Store(&now)
		g.watch(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Handler serves /livez, which fails when Run is stuck. A primary that does not answer is no reason for that.
func (g *Guard) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		if last := g.round.Load(); last == nil || time.Since(*last) > liveTimeout {
			http.Error(w, "no round within "+liveTimeout.String(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// watch makes one round.
func (g *Guard) watch(ctx context.Context) {
	seen := g.look(ctx)
	if ctx.Err() != nil {
		return
	}
	found := g.decide(seen)
	if found != g.found || seen.primary.UID != g.suspect {
		g.found, g.suspect, g.rounds = found, seen.primary.UID, 0
	}
	g.rounds++
	if seen.err != nil {
		g.successes = 0
	}
	switch {
	case seen.err == nil:
		if g.successes++; g.successes >= successesToRearm {
			g.disarmed = false
		}
		g.reportPrimary(slog.LevelInfo, "the primary can write", seen.primary, nil)
	case found == nil:
		g.reportPrimary(slog.LevelWarn, "it is not known whether the primary can write", seen.primary, seen.err)
	case g.rounds < found.rounds:
		g.reportPrimary(slog.LevelWarn, found.text, seen.primary, seen.err)
	default:
		g.replace(ctx, seen)
	}
	g.fenceDiverged(ctx, seen)
}

// decide returns what is wrong with the primary, nil if nothing is that the guard could help.
func (g *Guard) decide(seen sighting) *fault {
	switch {
	case errors.Is(seen.err, ErrReadOnly):
		return readOnly
	case g.ReplaceCutOff && seen.cutOff():
		return cutOff
	}
	return nil
}
