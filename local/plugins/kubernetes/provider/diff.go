package provider

import (
	"context"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"agentstack/local/plugins/kubernetes/await"
	"agentstack/local/plugins/kubernetes/diff"
	"agentstack/local/plugins/kubernetes/object"
	"agentstack/local/plugins/property"
)

// Diff compares what the program asked for last time with what it asks for now. After a refresh the old
// inputs hold the live values, so drift shows here as well.
func (p *Provider) Diff(ctx context.Context, request *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	if isRelease(request.GetUrn()) {
		return diffRelease(request)
	}
	olds, err := property.Decode(request.GetOlds(), "old state")
	if err != nil {
		return nil, err
	}
	news, err := property.Decode(request.GetNews(), "new inputs")
	if err != nil {
		return nil, err
	}
	old, live := object.ParseState(olds)
	if len(old.Object) == 0 {
		oldInputs, err := property.Decode(request.GetOldInputs(), "old inputs")
		if err != nil {
			return nil, err
		}
		old = object.FromProperties(oldInputs)
	}
	old, updated := object.Normalize(old), object.Normalize(object.FromProperties(news))
	alignNamespace(old, live)
	alignNamespace(updated, live)

	result, err := diff.Compare(old, updated, p.settings.mutable)
	if err != nil {
		return nil, p.report(err)
	}
	if p.replacesUnready(ctx, updated, live) {
		result.Replace(old, updated, `metadata.annotations["`+object.AnnotationReplaceUnready+`"]`)
	}
	return diffResponse(result), nil
}

// replacesUnready reports whether the program wants a Job that has not completed to run anew. A Job whose
// state cannot be read is left as it is.
func (p *Provider) replacesUnready(ctx context.Context, updated, live *unstructured.Unstructured) bool {
	if !object.Flagged(updated, object.AnnotationReplaceUnready) || updated.GetKind() != "Job" ||
		p.client == nil {
		return false
	}
	current, err := p.client.Get(ctx, live)
	if err != nil {
		return false
	}
	return await.Waiter{Client: p.client, Inputs: updated}.Check(ctx, current) != nil
}

func diffResponse(result diff.Result) *pulumirpc.DiffResponse {
	response := &pulumirpc.DiffResponse{
		Changes:             pulumirpc.DiffResponse_DIFF_NONE,
		Replaces:            result.Replaces,
		DeleteBeforeReplace: result.DeleteBeforeReplace,
		DetailedDiff:        map[string]*pulumirpc.PropertyDiff{},
		HasDetailedDiff:     true,
	}
	for path, change := range result.Detailed {
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		response.DetailedDiff[path] = &pulumirpc.PropertyDiff{
			Kind: pulumirpc.PropertyDiff_Kind(change.Kind), InputDiff: change.InputDiff,
		}
	}
	return response
}

// alignNamespace spells out the default namespace of a namespaced object, and drops the namespace that was
// set on one that turned out to be cluster-scoped.
func alignNamespace(obj, live *unstructured.Unstructured) {
	switch {
	case object.Name(live) == "":
	case object.Namespace(live) == "":
		unstructured.RemoveNestedField(obj.Object, "metadata", "namespace")
	default:
		metadata, _ := obj.Object["metadata"].(map[string]any)
		if value := metadata["namespace"]; metadata != nil && (value == nil || value == "") {
			metadata["namespace"] = "default"
		}
	}
}
