// Package await waits until an object does what it is for (a Deployment serves its new pods, a Job is
// complete, a claim is bound) or is gone, and says why when it is not.
package await

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"

	"agentstack/local/plugins/kubernetes/cluster"
	"agentstack/local/plugins/kubernetes/engine"
	"agentstack/local/plugins/kubernetes/object"
)

// DefaultTimeout is how long an operation may take when neither customTimeouts nor an annotation says; it is
// the official provider's.
const DefaultTimeout = 10 * time.Minute

const diagnoseInterval = 3 * time.Second

// pollBackoff spaces looks at the object: soon after the change, since most objects are ready or gone within
// moments, then twice a second.
func pollBackoff() wait.Backoff {
	const first, last = 50 * time.Millisecond, 500 * time.Millisecond
	return wait.Backoff{Duration: first, Factor: 1.5, Cap: last, Steps: math.MaxInt32}
}

// Waiter waits for one object.
type Waiter struct {
	Client  *cluster.Client
	Log     *engine.Resource
	Inputs  *unstructured.Unstructured // as the program gave them, for the annotations
	Timeout time.Duration
}

// NotReady is the failure of a wait: the object exists and is not what the program needs.
type NotReady struct {
	Summary string
	Reasons []string // conditions, container states and events that explain it, most telling first
	Live    *unstructured.Unstructured
}

// Error joins the summary and the reasons, one a line.
func (e *NotReady) Error() string {
	return strings.Join(append([]string{e.Summary}, e.Reasons...), "\n    * ")
}

// verdict is the state of an object at one moment.
type verdict struct {
	ready   bool
	failed  bool // and will not become ready by itself
	message string
}

// judge looks at a live object.
type judge func(ctx context.Context, live *unstructured.Unstructured) (verdict, error)

// Ready waits until the object is ready and returns its last state. It returns a *NotReady when the object
// fails, or is not ready in time.
func (w Waiter) Ready(ctx context.Context, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if object.Flagged(w.Inputs, object.AnnotationSkipAwait) {
		return live, nil
	}
	judge, err := w.judgeFor(live)
	if err != nil {
		return live, err
	}
	defer w.Log.Status(context.WithoutCancel(ctx), "")
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	return w.poll(ctx, live, judge)
}

func (w Waiter) poll(
	ctx context.Context, live *unstructured.Unstructured, judge judge,
) (*unstructured.Unstructured, error) {
	started, diagnosed, backoff := time.Now(), time.Now(), pollBackoff()
	for {
		state, err := judge(ctx, live)
		switch {
		case err != nil && !cluster.Unreachable(err) && ctx.Err() == nil:
			return live, err
		case err != nil:
			state = verdict{message: err.Error()}
		case state.ready:
			return live, nil
		case state.failed:
			return live, w.notReady(ctx, live, "failed: "+state.message)
		}
		w.Log.Status(ctx, "waiting: "+state.message)
		if time.Since(diagnosed) >= diagnoseInterval {
			diagnosed = time.Now()
			for _, problem := range (diagnosis{client: w.Client}).of(ctx, live) {
				w.Log.Warn(ctx, problem)
			}
		}
		select {
		case <-ctx.Done():
			return live, w.notReady(ctx, live, gaveUp(ctx, "not ready", started)+": "+state.message)
		case <-time.After(backoff.Step()):
		}
		updated, err := w.Client.Get(ctx, live)
		switch {
		case err == nil:
			live = updated
		case apierrors.IsNotFound(err):
			return live, w.notReady(ctx, live, "was deleted while Pulumi waited for it")
		case ctx.Err() == nil && !cluster.Unreachable(err):
			return live, fmt.Errorf("read live state: %w", err)
		}
	}
}

// Check judges the object once. It returns a *NotReady when the object is not ready now.
func (w Waiter) Check(ctx context.Context, live *unstructured.Unstructured) error {
	judge, err := w.judgeFor(live)
	if err != nil {
		return err
	}
	state, err := judge(ctx, live)
	if err != nil || state.ready {
		return err
	}
	problems := diagnosis{client: w.Client}.of(ctx, live)
	return &NotReady{
		Summary: object.Describe(live) + ": not ready: " + state.message,
		Reasons: problems,
		Live:    live,
	}
}

// notReady explains a failure. The wait's own context may be over, so the explanation gets a short one of
// its own.
func (w Waiter) notReady(ctx context.Context, live *unstructured.Unstructured, summary string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), diagnoseTimeout)
	defer cancel()
	return &NotReady{
		Summary: object.Describe(live) + ": " + summary,
		Reasons: diagnosis{client: w.Client, logs: true}.of(ctx, live),
		Live:    live,
	}
}

// gaveUp words the end of a wait by timeout or by cancellation.
func gaveUp(ctx context.Context, what string, started time.Time) string {
	waited := time.Since(started).Round(time.Second)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Sprintf("%s after %s", what, waited)
	}
	return fmt.Sprintf("canceled after %s, %s", waited, what)
}
