package provider

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"agentstack/local/plugins/aws/catalog"
	"agentstack/local/plugins/property"
)

// defaultsKey is where the official provider notes which inputs it chose itself.
const defaultsKey = "__defaults"

// Check names what has no name, and returns everything that is wrong with the inputs.
func (*Provider) Check(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	known, urn, err := typeOf(req.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := property.Decode(req.GetOlds(), "old inputs")
	if err != nil {
		return nil, err
	}
	news, err := property.Decode(req.GetNews(), "new inputs")
	if err != nil {
		return nil, err
	}
	if err := assignName(known, urn, olds, news, req); err != nil {
		return nil, err
	}
	response := &pulumirpc.CheckResponse{}
	for _, problem := range known.Check(property.OpenedMap(news)) {
		response.Failures = append(response.Failures, &pulumirpc.CheckFailure{
			Property: problem.Property, Reason: problem.Property + " " + problem.Reason,
		})
	}
	response.Inputs, err = property.Encode(news, "inputs", true)
	return response, err
}

// assignName chooses a name where the program gives none: that of the last time, or the resource's own with a suffix.
func assignName(
	known catalog.Type, urn resource.URN, olds, news resource.PropertyMap, req *pulumirpc.CheckRequest,
) error {
	key := resource.PropertyKey(known.AutoName)
	if key == "" || !news[key].IsNull() || !news[key+"Prefix"].IsNull() {
		return nil
	}
	news[defaultsKey] = resource.NewArrayProperty([]resource.PropertyValue{resource.NewStringProperty(string(key))})
	if old := olds[key]; old.IsString() {
		news[key] = old
		return nil
	}
	if proposed := req.GetAutonaming().GetProposedName(); proposed != "" {
		news[key] = resource.NewStringProperty(known.NamePrefix + proposed)
		return nil
	}
	const digits = 7 // as many as the official provider's
	name, err := resource.NewUniqueName(req.GetRandomSeed(), urn.Name()+"-", digits, 0, nil)
	if err != nil {
		return fmt.Errorf("name %s: %w", urn.Name(), err)
	}
	news[key] = resource.NewStringProperty(known.NamePrefix + name)
	return nil
}
