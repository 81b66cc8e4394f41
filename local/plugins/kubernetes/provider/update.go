package provider

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"agentstack/local/plugins/kubernetes/await"
	"agentstack/local/plugins/kubernetes/cluster"
	"agentstack/local/plugins/kubernetes/object"
	"agentstack/local/plugins/property"
)

// update is one update of an object.
type update struct {
	inputs  resource.PropertyMap
	obj     *unstructured.Unstructured // the new inputs
	state   object.Checkpoint          // of the new inputs; Live is not set yet
	manager string                     // field manager of the last update
}

// Update applies the new inputs and waits until the object is ready.
func (p *Provider) Update(
	ctx context.Context,
	request *pulumirpc.UpdateRequest,
) (*pulumirpc.UpdateResponse, error) {
	if isRelease(request.GetUrn()) {
		state, err := p.previewRelease(request.GetUrn(), request.GetNews(), request.GetPreview())
		return &pulumirpc.UpdateResponse{Properties: state}, err
	}
	ctx, log, done := p.operation(ctx, request.GetUrn())
	defer done()
	u, err := parseUpdate(request)
	if err != nil {
		return nil, p.report(err)
	}
	if request.GetPreview() && !p.canAsk(ctx, u.obj) {
		return &pulumirpc.UpdateResponse{Properties: request.GetNews()}, nil
	}
	if p.client == nil {
		return nil, p.report(fmt.Errorf("update %s: %w", object.Describe(u.obj), p.unreachable))
	}
	live, err := p.apply(ctx, u, request)
	if request.GetPreview() && apierrors.IsForbidden(err) {
		return &pulumirpc.UpdateResponse{Properties: request.GetNews()}, nil
	}
	if err != nil {
		return nil, p.report(cluster.Explain(u.obj, err))
	}
	u.state.Live = live
	var waitErr error
	if !request.GetPreview() {
		timeout, err := object.Timeout(u.obj, request.GetTimeout(), await.DefaultTimeout)
		if err != nil {
			return nil, p.report(err)
		}
		waiter := await.Waiter{Client: p.client, Log: log, Inputs: u.obj, Timeout: timeout}
		u.state.Live, waitErr = waiter.Ready(ctx, live)
	}
	state, err := p.marshal(u.state.Properties(u.inputs), "state")
	if err != nil {
		return nil, p.report(err)
	}
	if waitErr != nil {
		return nil, p.initFailed(request.GetId(), waitErr, state, nil)
	}
	return &pulumirpc.UpdateResponse{Properties: state}, nil
}

func parseUpdate(request *pulumirpc.UpdateRequest) (*update, error) {
	olds, err := property.Decode(request.GetOlds(), "old state")
	if err != nil {
		return nil, err
	}
	news, err := property.Decode(request.GetNews(), "new inputs")
	if err != nil {
		return nil, err
	}
	oldInputs, _ := object.ParseState(olds)
	obj := object.FromProperties(news)
	return &update{
		inputs: news, obj: obj, manager: object.FieldManager(request.GetUrn(), oldInputs, olds),
		state: object.Checkpoint{
			Inputs: obj, FieldManager: object.FieldManager(request.GetUrn(), obj, olds),
			InitialAPIVersion: object.InitialAPIVersion(olds, oldInputs),
		},
	}, nil
}

// apply sends the new inputs. Ignored changes keep what is live, and fields that client-side tools own
// become this resource's.
func (p *Provider) apply(
	ctx context.Context, u *update, request *pulumirpc.UpdateRequest,
) (*unstructured.Unstructured, error) {
	live, err := p.client.Get(ctx, u.obj)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("it no longer exists in the cluster: run `pulumi refresh`, then update again")
	}
	if err != nil {
		return nil, err
	}
	obj := u.obj.DeepCopy()
	if err := keepIgnored(obj, live, u.state.FieldManager, request.GetIgnoreChanges()); err != nil {
		return nil, err
	}
	apply := cluster.Apply{
		Object: obj, FieldManager: u.state.FieldManager, Force: p.force(u.obj), DryRun: request.GetPreview(),
	}
	if request.GetPreview() {
		apply.Force = apply.Force || cluster.HasClientSideManager(live)
		return p.client.Apply(ctx, apply)
	}
	if cluster.HasClientSideManager(live) {
		if err := p.client.TakeOver(ctx, live, u.state.FieldManager); err != nil {
			return nil, err
		}
	}
	updated, err := p.client.Apply(ctx, apply)
	if err != nil || u.manager == u.state.FieldManager {
		return updated, err
	}
	return updated, p.client.Relinquish(ctx, updated, u.manager)
}
