package await

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	endpointSlice = schema.GroupVersionKind{Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice"}
	storageClass  = schema.GroupVersionKind{Group: "storage.k8s.io", Version: "v1", Kind: "StorageClass"}
)

// judgeService waits for a ready endpoint, unless the Service has none by design: headless, without
// selector, or an external name. A LoadBalancer also needs its address.
func (w Waiter) judgeService(ctx context.Context, live *unstructured.Unstructured) (verdict, error) {
	kind, _, _ := unstructured.NestedString(live.Object, "spec", "type")
	clusterIP, _, _ := unstructured.NestedString(live.Object, "spec", "clusterIP")
	selector, _, _ := unstructured.NestedMap(live.Object, "spec", "selector")
	if kind == "LoadBalancer" {
		if state, err := judgeLoadBalancer(ctx, live); err != nil || !state.ready {
			return state, err
		}
	}
	if kind == "ExternalName" || clusterIP == "None" || len(selector) == 0 {
		return verdict{ready: true}, nil
	}
	slices, err := w.Client.List(
		ctx,
		endpointSlice,
		live.GetNamespace(),
		"kubernetes.io/service-name="+live.GetName(),
	)
	if err != nil {
		return verdict{}, fmt.Errorf("list endpoints: %w", err)
	}
	for _, slice := range slices {
		if hasReadyEndpoint(slice.Object) {
			return verdict{ready: true}, nil
		}
	}
	return verdict{message: "no pod behind the Service is ready: the selected pods are not ready yet, " +
		"or spec.selector matches no pod's labels"}, nil
}

// hasReadyEndpoint takes an unset readiness for ready, as the API says consumers should.
func hasReadyEndpoint(slice map[string]any) bool {
	endpoints, _, _ := unstructured.NestedSlice(slice, "endpoints")
	for _, endpoint := range endpoints {
		fields, _ := endpoint.(map[string]any)
		if ready, set, _ := unstructured.NestedBool(fields, "conditions", "ready"); ready || !set {
			return true
		}
	}
	return false
}

// judgeClaim waits for the volume, unless the class binds it only when a pod uses it.
func (w Waiter) judgeClaim(ctx context.Context, live *unstructured.Unstructured) (verdict, error) {
	state, err := judgePhase("Bound")(ctx, live)
	if err != nil || state.ready {
		return state, err
	}
	name, _, _ := unstructured.NestedString(live.Object, "spec", "storageClassName")
	if name == "" {
		return state, nil
	}
	class := &unstructured.Unstructured{}
	class.SetGroupVersionKind(storageClass)
	class.SetName(name)
	class, err = w.Client.Get(ctx, class)
	switch {
	case apierrors.IsNotFound(err):
		return verdict{message: fmt.Sprintf("StorageClass %q does not exist", name)}, nil
	case err != nil:
		return verdict{}, fmt.Errorf("read StorageClass %q: %w", name, err)
	}
	mode, _, _ := unstructured.NestedString(class.Object, "volumeBindingMode")
	state.ready = mode == "WaitForFirstConsumer"
	return state, nil
}
