package provider

import (
	"context"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"agentstack/local/plugins/kubernetes/await"
	"agentstack/local/plugins/kubernetes/object"
	"agentstack/local/plugins/property"
)

// Check completes the program's inputs with a name and a namespace and brings them into the API server's
// spelling.
func (p *Provider) Check(_ context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	if isRelease(request.GetUrn()) {
		return checkRelease(request)
	}
	gvk, err := object.KindOf(resource.URN(request.GetUrn()))
	if err != nil {
		return nil, err
	}
	if err := refuseKind(gvk, request.GetType()); err != nil {
		return nil, err
	}
	olds, err := property.Decode(request.GetOlds(), "old inputs")
	if err != nil {
		return nil, err
	}
	news, err := property.Decode(request.GetNews(), "new inputs")
	if err != nil {
		return nil, err
	}
	p.redactor.Learn(news)
	obj := object.FromProperties(news)
	complete(obj, gvk)
	obj = object.Normalize(obj)

	old := object.FromProperties(olds)
	if len(old.Object) > 0 {
		object.AdoptName(obj, old)
	}
	if failures := p.invalid(obj); len(failures) > 0 {
		return &pulumirpc.CheckResponse{Inputs: request.GetNews(), Failures: failures}, nil
	}
	if err := object.AssignName(obj, request); err != nil {
		return nil, p.report(err)
	}
	if err := p.fillNamespace(obj, old, gvk); err != nil {
		return nil, p.report(err)
	}
	if object.IsCRD(gvk) && p.client != nil {
		p.client.Expect(obj)
	}
	checked := resource.NewPropertyMapFromMap(obj.Object)
	object.CarrySecrets(checked, news)
	inputs, err := p.marshal(checked, "inputs")
	return &pulumirpc.CheckResponse{Inputs: inputs}, err
}

// refuseKind refuses resource types that stand for something else than one object.
func refuseKind(gvk schema.GroupVersionKind, token string) error {
	isVariant := func(suffix string) bool {
		kind, ok := strings.CutSuffix(gvk.Kind, suffix)
		return ok && object.IsBuiltin(schema.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: kind})
	}
	if gvk.Group == "helm.sh" || gvk.Group == "yaml" || gvk.Group == "kustomize" ||
		isVariant("List") || isVariant("Patch") {
		return unsupported(token)
	}
	return nil
}

func complete(obj *unstructured.Unstructured, gvk schema.GroupVersionKind) {
	if obj.Object["apiVersion"] == nil {
		obj.Object["apiVersion"] = gvk.GroupVersion().String()
	}
	if obj.Object["kind"] == nil {
		obj.Object["kind"] = gvk.Kind
	}
}

// invalid returns what is wrong with the inputs themselves; the API server judges the rest.
func (p *Provider) invalid(obj *unstructured.Unstructured) []*pulumirpc.CheckFailure {
	var failures []*pulumirpc.CheckFailure
	fail := func(property, reason string) {
		failures = append(
			failures,
			&pulumirpc.CheckFailure{Property: property, Reason: p.redactor.Redact(reason)},
		)
	}
	metadata, _ := obj.Object["metadata"].(map[string]any)
	if _, ok := metadata["generateName"]; ok && !object.Named(obj) {
		fail("metadata.generateName", "not supported with server-side apply: set metadata.name, or neither")
	}
	if _, err := object.Timeout(obj, 0, await.DefaultTimeout); err != nil {
		fail("metadata.annotations", err.Error())
	}
	if err := await.ValidateWaitFor(obj); err != nil {
		fail("metadata.annotations", err.Error())
	}
	return failures
}

// fillNamespace sets the provider's namespace on a namespaced object that names none. Without a cluster to
// ask, it keeps the namespace of the last update.
func (p *Provider) fillNamespace(obj, old *unstructured.Unstructured, gvk schema.GroupVersionKind) error {
	metadata, _ := obj.Object["metadata"].(map[string]any)
	if value := metadata["namespace"]; value != nil && value != "" {
		return nil
	}
	if p.client == nil {
		if namespace := object.Namespace(old); namespace != "" {
			object.SetMetadata(obj, "namespace", namespace)
		}
		return nil
	}
	namespaced, err := p.client.Namespaced(gvk)
	if err != nil {
		return err
	}
	if namespaced {
		object.SetMetadata(obj, "namespace", p.namespace)
	}
	return nil
}
