package provider

import (
	"context"
	"errors"
	"fmt"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"agentstack/local/plugins/kubernetes/await"
	"agentstack/local/plugins/kubernetes/cluster"
	"agentstack/local/plugins/kubernetes/object"
	"agentstack/local/plugins/property"
)

// Delete deletes the object and waits until it is gone. One that does not exist, or whose kind no longer
// does, is gone already.
func (p *Provider) Delete(ctx context.Context, request *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	if isRelease(request.GetUrn()) {
		return nil, errRelease(request.GetUrn())
	}
	ctx, log, done := p.operation(ctx, request.GetUrn())
	defer done()
	state, err := property.Decode(request.GetProperties(), "state")
	if err != nil {
		return nil, err
	}
	inputs, live := object.ParseState(state)
	if p.client == nil {
		if p.settings.deleteUnreachable {
			log.Warn(ctx, "removed from the state, as deleteUnreachable asks: "+p.unreachable.Error())
			return &emptypb.Empty{}, nil
		}
		return nil, p.report(fmt.Errorf("delete %s: %w; %s", request.GetId(), p.unreachable, forget))
	}
	target, err := identify(request.GetUrn(), request.GetId(), state, live)
	if err != nil {
		return nil, p.report(err)
	}
	timeout, err := object.Timeout(inputs, request.GetTimeout(), await.DefaultTimeout)
	if err != nil {
		return nil, p.report(err)
	}
	err = p.client.Delete(ctx, target, object.DeletionPropagation(inputs))
	switch {
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		return &emptypb.Empty{}, nil
	case err != nil:
		return nil, p.report(cluster.Explain(target, err))
	case await.SkipsDeletion(inputs):
		return &emptypb.Empty{}, nil
	}
	waiter := await.Waiter{Client: p.client, Log: log, Inputs: inputs, Timeout: timeout}
	err = waiter.Deleted(ctx, target)
	if notReady := new(await.NotReady); errors.As(err, &notReady) {
		return nil, p.initFailed(request.GetId(), err, request.GetProperties(), nil)
	}
	if object.IsCRD(target.GroupVersionKind()) {
		p.client.Refresh()
	}
	return &emptypb.Empty{}, p.report(err)
}
