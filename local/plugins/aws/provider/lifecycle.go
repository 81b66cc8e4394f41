package provider

import (
	"context"
	"fmt"
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"

	"agentstack/local/plugins/aws/catalog"
	"agentstack/local/plugins/property"
)

// Create answers what AWS would. In a preview, what only AWS knows is unknown.
func (p *Provider) Create(_ context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	known, urn, err := typeOf(req.GetUrn())
	if err != nil {
		return nil, err
	}
	inputs, err := property.Decode(req.GetProperties(), "inputs")
	if err != nil {
		return nil, err
	}
	state, id := p.state(known, inputs), ""
	if req.GetPreview() {
		fill(state, known, func(string, any) resource.PropertyValue { return unknown })
	} else {
		r := &catalog.Resource{URN: urn, Region: p.config.region, Inputs: property.OpenedMap(inputs)}
		r.ID = fmt.Sprint(r.Expand(known.ID))
		id = r.ID
		fill(state, known, func(_ string, template any) resource.PropertyValue {
			return resource.NewPropertyValue(r.Expand(template))
		})
		state["id"] = resource.NewStringProperty(id)
	}
	properties, err := property.Encode(state, "state", true)
	return &pulumirpc.CreateResponse{Id: id, Properties: properties}, err
}

// Update takes the new inputs over and keeps what AWS chose.
func (p *Provider) Update(_ context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	known, _, err := typeOf(req.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := property.Decode(req.GetOlds(), "old state")
	if err != nil {
		return nil, err
	}
	news, err := property.Decode(req.GetNews(), "new inputs")
	if err != nil {
		return nil, err
	}
	state := p.state(known, news)
	fill(state, known, func(name string, _ any) resource.PropertyValue {
		old := olds[resource.PropertyKey(name)]
		switch {
		case name != known.Counted:
			return old
		case req.GetPreview():
			return unknown
		}
		return resource.NewNumberProperty(old.NumberValue() + 1)
	})
	state["id"] = resource.NewStringProperty(req.GetId())
	properties, err := property.Encode(state, "state", true)
	return &pulumirpc.UpdateResponse{Properties: properties}, err
}

var unknown = resource.MakeComputed(resource.NewStringProperty(""))

// fill adds the outputs that are no inputs of the program.
func fill(
	state resource.PropertyMap, known catalog.Type, value func(name string, template any) resource.PropertyValue,
) {
	for name, template := range known.Outputs {
		if key := resource.PropertyKey(name); state[key].IsNull() {
			state[key] = value(name, template)
		}
	}
}

// state is what is known of a resource before AWS answers: its inputs, and its tags with those of the provider.
func (p *Provider) state(known catalog.Type, inputs resource.PropertyMap) resource.PropertyMap {
	state := maps.Clone(inputs)
	delete(state, defaultsKey)
	if !known.Tagged {
		return state
	}
	all := maps.Clone(p.config.tags)
	switch own := property.Open(inputs["tags"]); {
	case own.IsObject():
		maps.Copy(all, own.ObjectValue())
	case !own.IsNull():
		state["tagsAll"] = unknown
		return state
	}
	state["tagsAll"] = resource.NewObjectProperty(all)
	return state
}

// Read returns the state as it is: nothing drifts in a simulation. What has no state cannot be found in it.
func (*Provider) Read(_ context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	if _, _, err := typeOf(req.GetUrn()); err != nil {
		return nil, err
	}
	if len(req.GetProperties().GetFields()) == 0 {
		return nil, fmt.Errorf("read %s: the AWS simulation has only what this stack made; to import or look up a "+
			"resource, use the official plugin", req.GetId())
	}
	return &pulumirpc.ReadResponse{
		Id: req.GetId(), Properties: req.GetProperties(), Inputs: req.GetInputs(),
	}, nil
}

// Delete has nothing to delete.
func (*Provider) Delete(_ context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	_, _, err := typeOf(req.GetUrn())
	return &emptypb.Empty{}, err
}
