// Package guard deletes the pod of a PostgreSQL primary whose data volume the kernel made read-only. Such a primary
// still answers queries, so that the operator of its cluster takes it for healthy, and every write fails. Once its pod
// is deleted, the operator promotes a replica.
package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// interval is the time between the starts of two rounds.
	interval = time.Second
	// refusalsToAct in a row of the same instance make the guard act.
	refusalsToAct = 3
	// successesToRearm in a row must come between two deletions. If the next primary cannot write either, the cause is
	// not one volume, and to delete one instance after the other would only take the replicas too.
	successesToRearm = 20
	// liveTimeout is the age of the last round at which the guard counts as stuck. The timeouts of a round's calls add
	// up to less.
	liveTimeout = 30 * time.Second
)

// ErrReadOnly says that the file system with the data of an instance refuses writes.
var ErrReadOnly = errors.New("its file system refuses writes")

// Database knows how to ask an instance.
type Database interface {
	// Probe makes the instance at an address write into its data directory. The error is an ErrReadOnly only if the
	// file system refused that; any other error leaves open whether it would.
	Probe(ctx context.Context, address netip.Addr) error
}

// Instances are the pods of the cluster.
type Instances interface {
	// List returns all of them.
	List(ctx context.Context) ([]Instance, error)
	// Delete deletes the pod with this very UID. False: it was gone already.
	Delete(ctx context.Context, instance Instance) (bool, error)
}

// Instance is a pod of the cluster.
type Instance struct {
	Name, UID string
	Address   netip.Addr // the zero value: none yet
	Primary   bool       // runs, and the operator has writers sent there
	Available bool       // ready and not being deleted
}

// Guard watches a primary. Its fields are set before Run.
type Guard struct {
	Database  Database
	Instances Instances
	Log       *slog.Logger

	suspect   string // UID of the primary that refused the last writes
	refusals  int    // in a row, of that primary
	successes int    // in a row
	disarmed  bool   // by a deletion
	reported  string
	round     atomic.Pointer[time.Time] // when the last one began
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
	instances, primary, err := g.find(ctx)
	if err == nil {
		err = g.Database.Probe(ctx, primary.Address)
	}
	if ctx.Err() != nil {
		return
	}
	if !errors.Is(err, ErrReadOnly) || primary.UID != g.suspect {
		g.suspect, g.refusals = primary.UID, 0
	}
	if err != nil {
		g.successes = 0
	}
	switch {
	case err == nil:
		if g.successes++; g.successes >= successesToRearm {
			g.disarmed = false
		}
		g.report(slog.LevelInfo, "the primary can write", primary, nil)
	case !errors.Is(err, ErrReadOnly):
		g.report(slog.LevelWarn, "it is not known whether the primary can write", primary, err)
	default:
		if g.refusals++; g.refusals < refusalsToAct {
			g.report(slog.LevelWarn, "the primary cannot write", primary, err)
			return
		}
		g.replace(ctx, primary, instances, err)
	}
}

// find returns all instances, and the primary among them.
func (g *Guard) find(ctx context.Context) (all []Instance, primary Instance, err error) {
	all, err = g.Instances.List(ctx)
	if err != nil {
		return nil, Instance{}, err
	}
	primaries := 0
	for _, instance := range all {
		if instance.Primary {
			primary = instance
			primaries++
		}
	}
	if primaries != 1 {
		return nil, Instance{}, fmt.Errorf("%d of %d instances are the primary", primaries, len(all))
	}
	return all, primary, nil
}

// replace deletes the pod of a primary that cannot write if another instance can take its place. After an error the
// next round tries again: since a deletion names the pod's UID, it does no harm twice.
func (g *Guard) replace(ctx context.Context, primary Instance, instances []Instance, refusal error) {
	if g.disarmed {
		g.report(slog.LevelError, "the primary cannot write, and none could for long since the last deletion", primary,
			refusal)
		return
	}
	if !slices.ContainsFunc(instances, func(i Instance) bool { return i.Available && i.UID != primary.UID }) {
		g.report(slog.LevelWarn, "the primary cannot write, and no other instance could take over", primary, refusal)
		return
	}
	deleted, err := g.Instances.Delete(ctx, primary)
	if err != nil {
		g.report(slog.LevelError, "the primary cannot write, and its pod was not deleted", primary, err)
		return
	}
	g.disarmed, g.refusals = true, 0
	message := "the primary cannot write: deleted its pod, so that a replica takes its place"
	if !deleted {
		message = "the primary cannot write, and somebody else deleted its pod"
	}
	g.report(slog.LevelError, message, primary, refusal, "uid", primary.UID)
}

// report logs what a round found unless the round before found the same.
func (g *Guard) report(level slog.Level, message string, primary Instance, err error, args ...any) {
	// The texts of errors differ from round to round, by the ports of connections; SQLSTATEs do not.
	found := message + primary.UID
	var answer interface{ SQLState() string }
	if errors.As(err, &answer) {
		found += answer.SQLState()
	}
	if found == g.reported {
		return
	}
	g.reported = found
	if primary.Name != "" {
		args = append(args, "pod", primary.Name)
	}
	if err != nil {
		args = append(args, "error", err)
	}
	g.Log.Log(context.Background(), level, message, args...)
}
