package await

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"agentstack/local/plugins/kubernetes/cluster"
	"agentstack/local/plugins/kubernetes/object"
)

// Deleted waits until the object is gone, or another of its name has taken its place. It returns a *NotReady
// that names what holds it up when it is still there in time.
func (w Waiter) Deleted(ctx context.Context, live *unstructured.Unstructured) error {
	uid := live.GetUID()
	defer w.Log.Status(context.WithoutCancel(ctx), "")
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	started, backoff := time.Now(), pollBackoff()
	for {
		current, err := w.Client.Get(ctx, live)
		switch {
		case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
			return nil
		case err == nil && uid != "" && current.GetUID() != uid:
			return nil
		case err == nil:
			live = current
			w.Log.Status(ctx, "waiting for deletion: "+holdUp(live))
		case ctx.Err() == nil && !cluster.Unreachable(err):
			return fmt.Errorf("read live state: %w", err)
		}
		select {
		case <-ctx.Done():
			summary := object.Describe(live) + ": " + gaveUp(ctx, "still exists", started)
			return &NotReady{Summary: summary, Reasons: []string{holdUp(live)}, Live: live}
		case <-time.After(backoff.Step()):
		}
	}
}

// holdUp says what keeps an object from disappearing.
func holdUp(live *unstructured.Unstructured) string {
	var reasons []string
	for _, c := range conditions(live) {
		if c.status == "True" && live.GetKind() == "Namespace" {
			reasons = append(reasons, c.String())
		}
	}
	if finalizers := live.GetFinalizers(); len(finalizers) > 0 {
		reasons = append(reasons, "its finalizers are not done: "+strings.Join(finalizers, ", "))
	}
	if len(reasons) == 0 {
		return "it is still shutting down"
	}
	return strings.Join(reasons, "; ")
}

// deletesInBackground are the kinds for which the official provider lets skipAwait skip the wait for
// deletion too.
var deletesInBackground = map[string]bool{
	"Namespace": true, "Pod": true, "ReplicationController": true, "DaemonSet": true, "Deployment": true,
	"StatefulSet": true, "Job": true,
}

// SkipsDeletion reports whether the program asked not to wait until the object is gone.
func SkipsDeletion(inputs *unstructured.Unstructured) bool {
	return object.Flagged(inputs, object.AnnotationSkipAwait) &&
		object.IsBuiltin(inputs.GroupVersionKind()) && deletesInBackground[inputs.GetKind()]
}
