package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"agentstack/local/plugins/kubernetes/await"
	"agentstack/local/plugins/kubernetes/cluster"
	"agentstack/local/plugins/kubernetes/object"
	"agentstack/local/plugins/property"
)

// gone is the answer for an object that does not exist: the engine drops it from the state.
var gone = &pulumirpc.ReadResponse{}

// Read returns the live object. On refresh the inputs are the live values of the fields that the program
// sets, so that exactly those show as drift; on import they are all fields that a program could set.
func (p *Provider) Read(ctx context.Context, request *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	if isRelease(request.GetUrn()) {
		return nil, errRelease(request.GetUrn())
	}
	ctx, log, done := p.operation(ctx, request.GetUrn())
	defer done()
	state, err := property.Decode(request.GetProperties(), "state")
	if err != nil {
		return nil, err
	}
	oldInputs, err := property.Decode(request.GetInputs(), "inputs")
	if err != nil {
		return nil, err
	}
	if p.client == nil {
		if p.settings.deleteUnreachable {
			log.Warn(ctx, "removed from the state, as deleteUnreachable asks: "+p.unreachable.Error())
			return gone, nil
		}
		return nil, p.report(fmt.Errorf("read %s: %w; %s", request.GetId(), p.unreachable, forget))
	}
	old := object.Normalize(object.FromProperties(oldInputs))
	target, err := identify(request.GetUrn(), request.GetId(), state, old)
	if err != nil {
		return nil, p.report(err)
	}
	live, err := p.client.Get(ctx, target)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return gone, nil
	}
	if err != nil {
		return nil, p.report(cluster.Explain(target, err))
	}
	imported := len(old.Object) == 0
	inputs := object.Prune(live, old)
	if imported {
		inputs = object.Importable(live)
	}
	response, err := p.readResponse(request, inputs, live, state, oldInputs)
	if err != nil {
		return nil, p.report(err)
	}
	if imported || object.Flagged(old, object.AnnotationSkipAwait) {
		return response, nil
	}
	err = await.Waiter{Client: p.client, Log: log, Inputs: old}.Check(ctx, live)
	if notReady := new(await.NotReady); errors.As(err, &notReady) {
		return nil, p.initFailed(response.GetId(), err, response.GetProperties(), response.GetInputs())
	}
	return response, p.report(err)
}

// forget is what to do with resources of a cluster that will not come back.
const forget = "if the cluster was deleted for good, PULUMI_K8S_DELETE_UNREACHABLE=true removes its resources " +
	"from the state"

func (p *Provider) readResponse(
	request *pulumirpc.ReadRequest,
	inputs, live *unstructured.Unstructured,
	state, oldInputs resource.PropertyMap,
) (*pulumirpc.ReadResponse, error) {
	checkpoint := object.Checkpoint{
		Inputs: inputs, Live: live, FieldManager: object.FieldManager(request.GetUrn(), inputs, state),
		InitialAPIVersion: object.InitialAPIVersion(state, live),
	}
	properties, err := p.marshal(checkpoint.Properties(oldInputs), "state")
	if err != nil {
		return nil, err
	}
	inputProperties := resource.NewPropertyMapFromMap(inputs.Object)
	object.CarrySecrets(inputProperties, oldInputs)
	marshaled, err := p.marshal(inputProperties, "inputs")
	if err != nil {
		return nil, err
	}
	return &pulumirpc.ReadResponse{Id: request.GetId(), Properties: properties, Inputs: marshaled}, nil
}

// identify returns the object that an operation means: kind from the state, else the inputs, else the
// resource type; name from the ID.
func identify(
	urn, id string, state resource.PropertyMap, inputs *unstructured.Unstructured,
) (*unstructured.Unstructured, error) {
	namespace, name, err := object.ParseID(id)
	if err != nil {
		return nil, err
	}
	_, live := object.ParseState(state)
	gvk := inputs.GroupVersionKind()
	if gvk.Kind == "" {
		gvk = live.GroupVersionKind()
	}
	if gvk.Kind == "" {
		if gvk, err = object.KindOf(resource.URN(urn)); err != nil {
			return nil, err
		}
	}
	target := &unstructured.Unstructured{Object: map[string]any{}}
	target.SetGroupVersionKind(gvk)
	target.SetName(name)
	target.SetUID(live.GetUID())
	if namespace != "" {
		target.SetNamespace(namespace)
	}
	return target, nil
}
