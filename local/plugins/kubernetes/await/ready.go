package await

import (
	"context"
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"agentstack/local/plugins/kubernetes/object"
)

// judgeFor picks what "ready" means for the object: the program's own waitFor annotation, else its kind's.
func (w Waiter) judgeFor(live *unstructured.Unstructured) (judge, error) {
	if expression := object.Annotation(w.Inputs, object.AnnotationWaitFor); expression != "" {
		return parseWaitFor(expression)
	}
	gvk := live.GroupVersionKind()
	switch gvk.GroupKind() {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}:
		return judgeDeployment, nil
	case schema.GroupKind{Group: "apps", Kind: "StatefulSet"},
		schema.GroupKind{Group: "apps", Kind: "DaemonSet"},
		schema.GroupKind{Group: "apps", Kind: "ReplicaSet"},
		schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}:
		return judgeStatus, nil
	case schema.GroupKind{Group: "batch", Kind: "Job"}:
		return judgeJob, nil
	case schema.GroupKind{Group: "networking.k8s.io", Kind: "Ingress"}:
		return judgeLoadBalancer, nil
	case schema.GroupKind{Kind: "Pod"}:
		return judgePod, nil
	case schema.GroupKind{Kind: "Service"}:
		return w.judgeService, nil
	case schema.GroupKind{Kind: "PersistentVolumeClaim"}:
		return w.judgeClaim, nil
	case schema.GroupKind{Kind: "PersistentVolume"}:
		return judgePhase("Available", "Bound"), nil
	case schema.GroupKind{Kind: "Namespace"}:
		return judgePhase("Active"), nil
	case schema.GroupKind{Kind: "Secret"}:
		return judgeSecret, nil
	}
	if object.IsBuiltin(gvk) {
		return judgeExists, nil
	}
	return w.judgeCustom(), nil
}

func judgeExists(context.Context, *unstructured.Unstructured) (verdict, error) {
	return verdict{ready: true}, nil
}

// judgeStatus follows the conventions that kubectl and the GitOps tools share.
func judgeStatus(_ context.Context, live *unstructured.Unstructured) (verdict, error) {
	result, err := status.Compute(live)
	if err != nil {
		return verdict{}, fmt.Errorf("compute status: %w", err)
	}
	return verdict{
		ready:   result.Status == status.CurrentStatus,
		failed:  result.Status == status.FailedStatus,
		message: result.Message,
	}, nil
}

func judgeDeployment(ctx context.Context, live *unstructured.Unstructured) (verdict, error) {
	if paused, _, _ := unstructured.NestedBool(live.Object, "spec", "paused"); paused {
		return verdict{ready: true}, nil
	}
	return judgeStatus(ctx, live)
}

func judgeJob(_ context.Context, live *unstructured.Unstructured) (verdict, error) {
	if suspended, _, _ := unstructured.NestedBool(live.Object, "spec", "suspend"); suspended {
		return verdict{ready: true}, nil
	}
	if complete, ok := condition(live, "Complete"); ok && complete.status == "True" {
		return verdict{ready: true}, nil
	}
	if failed, ok := condition(live, "Failed"); ok && failed.status == "True" {
		return verdict{failed: true, message: failed.String()}, nil
	}
	count := func(field string) int64 {
		n, _, _ := unstructured.NestedInt64(live.Object, "status", field)
		return n
	}
	return verdict{message: fmt.Sprintf("Job runs: %d active, %d succeeded, %d failed",
		count("active"), count("succeeded"), count("failed"))}, nil
}

func judgePod(ctx context.Context, live *unstructured.Unstructured) (verdict, error) {
	phase, _, _ := unstructured.NestedString(live.Object, "status", "phase")
	switch phase {
	case "Succeeded":
		return verdict{ready: true}, nil
	case "Failed":
		return verdict{failed: true, message: "the Pod failed"}, nil
	}
	state, err := judgeStatus(ctx, live)
	// A crash loop or a full cluster may resolve itself before the timeout.
	state.failed = false
	return state, err
}

func judgePhase(wanted ...string) judge {
	return func(_ context.Context, live *unstructured.Unstructured) (verdict, error) {
		phase, _, _ := unstructured.NestedString(live.Object, "status", "phase")
		for _, w := range wanted {
			if phase == w {
				return verdict{ready: true}, nil
			}
		}
		return verdict{message: fmt.Sprintf("phase is %q", phase)}, nil
	}
}

// judgeSecret waits for the token of a Secret that the token controller fills.
func judgeSecret(_ context.Context, live *unstructured.Unstructured) (verdict, error) {
	kind, _, _ := unstructured.NestedString(live.Object, "type")
	data, _, _ := unstructured.NestedMap(live.Object, "data")
	waits := kind == "kubernetes.io/service-account-token" && len(data) == 0
	return verdict{ready: !waits, message: "the token is not issued yet"}, nil
}

func judgeLoadBalancer(_ context.Context, live *unstructured.Unstructured) (verdict, error) {
	addresses, _, _ := unstructured.NestedSlice(live.Object, "status", "loadBalancer", "ingress")
	return verdict{ready: len(addresses) > 0, message: "no load balancer address yet"}, nil
}
