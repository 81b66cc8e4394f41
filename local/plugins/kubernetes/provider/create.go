package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilrand "k8s.io/apimachinery/pkg/util/rand"

	"agentstack/local/plugins/kubernetes/await"
	"agentstack/local/plugins/kubernetes/cluster"
	"agentstack/local/plugins/kubernetes/object"
	"agentstack/local/plugins/property"
)

// Create applies a new object and waits until it is ready. An object that exists but does not become ready
// is kept in the state.
func (p *Provider) Create(
	ctx context.Context,
	request *pulumirpc.CreateRequest,
) (*pulumirpc.CreateResponse, error) {
	if isRelease(request.GetUrn()) {
		state, err := p.previewRelease(request.GetUrn(), request.GetProperties(), request.GetPreview())
		return &pulumirpc.CreateResponse{Properties: state}, err
	}
	ctx, log, done := p.operation(ctx, request.GetUrn())
	defer done()
	inputs, err := property.Decode(request.GetProperties(), "inputs")
	if err != nil {
		return nil, err
	}
	obj := object.FromProperties(inputs)
	if request.GetPreview() {
		return p.previewCreate(ctx, request, inputs, obj)
	}
	if p.client == nil {
		return nil, p.report(fmt.Errorf("create %s: %w", object.Describe(obj), p.unreachable))
	}
	timeout, err := object.Timeout(obj, request.GetTimeout(), await.DefaultTimeout)
	if err != nil {
		return nil, p.report(err)
	}
	manager := object.FieldManager(request.GetUrn(), obj, nil)
	apply := cluster.Apply{Object: obj.DeepCopy(), FieldManager: manager, Force: p.force(obj)}
	live, err := p.client.ApplyWithRetry(ctx, apply, func(err error) {
		log.Status(ctx, "trying again: "+cluster.Explain(obj, err).Error())
	})
	if err != nil {
		return nil, p.report(cluster.Explain(obj, err))
	}
	if object.IsCRD(live.GroupVersionKind()) {
		defer p.client.Refresh()
	}
	checkpoint := object.Checkpoint{Inputs: obj, InitialAPIVersion: obj.GetAPIVersion(), FieldManager: manager}
	waiter := await.Waiter{Client: p.client, Log: log, Inputs: obj, Timeout: timeout}
	checkpoint.Live, err = waiter.Ready(ctx, live)
	state, marshalErr := p.marshal(checkpoint.Properties(inputs), "state")
	if marshalErr != nil {
		return nil, p.report(marshalErr)
	}
	if err != nil {
		return nil, p.initFailed(object.ID(live), err, state, nil)
	}
	return &pulumirpc.CreateResponse{Id: object.ID(live), Properties: state}, nil
}

// previewCreate asks the API server what it would make of the object. Where it cannot know yet, the preview
// shows the inputs.
func (p *Provider) previewCreate(
	ctx context.Context,
	request *pulumirpc.CreateRequest,
	inputs resource.PropertyMap,
	obj *unstructured.Unstructured,
) (*pulumirpc.CreateResponse, error) {
	asIs := &pulumirpc.CreateResponse{Properties: request.GetProperties()}
	if !p.canAsk(ctx, obj) {
		return asIs, nil
	}
	manager := object.FieldManager(request.GetUrn(), obj, nil)
	apply := cluster.Apply{Object: obj.DeepCopy(), FieldManager: manager, Force: true, DryRun: true}
	live, err := p.client.Apply(ctx, apply)
	if cluster.IsImmutable(err) {
		// The object is being replaced: try under a name that is free.
		object.SetMetadata(apply.Object, "name", previewName(object.Name(obj)))
		live, err = p.client.Apply(ctx, apply)
	}
	switch {
	case cannotPreview(err):
		return asIs, nil
	case err != nil:
		return nil, p.report(cluster.Explain(obj, err))
	}
	unstructured.RemoveNestedField(live.Object, "status")
	object.SetMetadata(live, "name", object.Name(obj))
	checkpoint := object.Checkpoint{
		Inputs: obj, Live: live, InitialAPIVersion: obj.GetAPIVersion(), FieldManager: manager,
	}
	state, err := p.marshal(checkpoint.Properties(inputs), "state")
	return &pulumirpc.CreateResponse{Properties: state}, err
}

// canAsk reports whether the API server can say in a preview what it would make of the object. Where it should be able
// to and is not, a warning says what to do, once for each cluster and kind.
func (p *Provider) canAsk(ctx context.Context, obj *unstructured.Unstructured) bool {
	switch gvk := obj.GroupVersionKind(); {
	case p.client == nil:
		p.own.Warn(ctx, "the preview shows inputs only: "+p.unreachable.Error())
	case !p.client.Knows(gvk):
		if _, warned := p.warned.LoadOrStore(gvk, true); !warned && !p.client.Expects(gvk) {
			p.own.Warn(ctx, "unless this update brings its kind: "+cluster.MissingKind(obj))
		}
	default:
		return !object.HasUnknowns(obj)
	}
	return false
}

// cannotPreview reports whether a dry run failed for what another resource of the same update will have
// made, or for what a dry run cannot do.
func cannotPreview(err error) bool {
	return err != nil &&
		(cluster.NamespaceMissing(err) || meta.IsNoMatchError(err) || apierrors.IsNotFound(err) ||
			apierrors.IsForbidden(err) || cluster.Unreachable(err) ||
			strings.Contains(err.Error(), "does not support dry run"))
}

// previewName keeps within the length that every kind allows.
func previewName(name string) string {
	const suffix, longest = 5, 63
	return name[:min(len(name), longest-suffix)] + utilrand.String(suffix)
}

// force reports whether to take fields that other managers own.
func (p *Provider) force(obj *unstructured.Unstructured) bool {
	if object.Flagged(obj, object.AnnotationPatchForce) {
		return true
	}
	return p.settings.patchForce != nil && *p.settings.patchForce
}
