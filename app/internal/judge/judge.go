// Package judge compares a canary with the stable version by what Prometheus measured of both in the same window, and
// says whether the canary may take the stable version's place.
package judge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Interval is the time between two scrapes of Prometheus, and so between two looks at what it has.
const Interval = 15 * time.Second

// grace, in intervals, is how long after the window a Prometheus that does not answer is asked again.
const grace = 4

// Judge compares the pods of two matchers of PromQL, as in pod=~"api-.*",zone="a".
type Judge struct {
	PrometheusURL  string
	Stable, Canary string
	Window         time.Duration // from the start of Run
	Interval       time.Duration // of Prometheus' scrapes
	Limits         Limits
	Log            *slog.Logger
}

// Run looks at the measures until the window is over, or nothing can save the canary any more. The error says that
// there is no verdict.
func (j *Judge) Run(ctx context.Context) (Verdict, error) {
	started := time.Now()
	for {
		wait := min(j.Interval, j.Window-time.Since(started))
		if wait <= 0 {
			wait = j.Interval
		}
		select {
		case <-ctx.Done():
			return Verdict{}, j.stopped(started)
		case <-time.After(wait):
		}
		elapsed := time.Since(started)
		verdict, err := j.look(ctx, elapsed)
		switch {
		case ctx.Err() != nil:
			return Verdict{}, j.stopped(started)
		case errors.Is(err, errQuery), errors.Is(err, errOverlap):
			return Verdict{}, fmt.Errorf("cannot judge: %w", err)
		case err != nil && elapsed >= j.Window+grace*j.Interval:
			return Verdict{}, fmt.Errorf("cannot judge: %w\nPrometheus did not answer until %s after the window of %s",
				err, (elapsed - j.Window).Round(time.Second), j.Window)
		case err != nil:
			j.Log.Warn("no measures, trying again", "error", err, "elapsed", elapsed.Round(time.Millisecond).String())
		case elapsed >= j.Window, verdict.hopeless(j.Limits):
			return verdict, nil
		default:
			j.Log.Info("judging", "so_far", verdict)
		}
	}
}

func (j *Judge) stopped(started time.Time) error {
	return fmt.Errorf("stopped after %s of the window of %s: the canary is not judged",
		time.Since(started).Round(time.Second), j.Window)
}

// errOverlap says that the selectors do not tell the versions apart.
var errOverlap = errors.New("STABLE_SELECTOR and CANARY_SELECTOR both select")

// look judges by the measures since the start.
func (j *Judge) look(ctx context.Context, elapsed time.Duration) (Verdict, error) {
	o, err := observe(ctx, prometheus{j.PrometheusURL}, elapsed, j.Interval)
	if err != nil {
		return Verdict{}, err
	}
	both, err := o.overlap(ctx, j.Stable, j.Canary)
	if err != nil {
		return Verdict{}, err
	}
	if len(both) > 0 {
		return Verdict{}, fmt.Errorf("%w %s", errOverlap, strings.Join(both, ", "))
	}
	stable, err := o.side(ctx, j.Stable)
	if err != nil {
		return Verdict{}, err
	}
	canary, err := o.side(ctx, j.Canary)
	if err != nil {
		return Verdict{}, err
	}
	measures := []Measure{errorRatio(stable.requests, canary.requests, j.Limits.ErrorRatio)}
	for i, d := range judgedDurations {
		measure, err := j.latency(ctx, o, d, stable.durations[i], canary.durations[i])
		if err != nil {
			return Verdict{}, err
		}
		measures = append(measures, measure)
	}
	verdict := Verdict{Elapsed: elapsed, Window: j.Window, Measures: measures, stable: stable, canary: canary}
	return verdict.conclude(j.Limits), nil
}

// latency compares durations.
func (j *Judge) latency(ctx context.Context, o observer, d durations, stable, canary Tally) (Measure, error) {
	limit := latencyLimit(stable.Value, j.Limits.LatencyRatio, d.family.Buckets)
	err := errors.Join(o.slower(ctx, &stable, d, j.Stable, limit), o.slower(ctx, &canary, d, j.Canary, limit))
	return latency(d.name, stable, canary, limit), err
}
