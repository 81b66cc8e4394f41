package provider

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"agentstack/local/plugins/aws/catalog"
	"agentstack/local/plugins/property"
)

// Invoke answers the functions of the table.
func (p *Provider) Invoke(_ context.Context, req *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	function, err := catalog.FindFunction(req.GetTok())
	if err != nil {
		return nil, err
	}
	args, err := property.Decode(req.GetArgs(), "arguments")
	if err != nil {
		return nil, err
	}
	region := p.config.region
	if value := property.Open(args["region"]); value.IsString() {
		region = value.StringValue()
	}
	result, err := function(region, property.OpenedMap(args))
	if err != nil {
		return &pulumirpc.InvokeResponse{
			Failures: []*pulumirpc.CheckFailure{{Reason: fmt.Sprintf("%s: %v", req.GetTok(), err)}},
		}, nil
	}
	// What the program asked comes back with the answer, as officially.
	for key, value := range args {
		if _, answered := result[key]; !answered {
			result[key] = value
		}
	}
	if result["id"].IsNull() {
		result["id"] = resource.NewStringProperty(region)
	}
	encoded, err := property.Encode(result, "result", true)
	return &pulumirpc.InvokeResponse{Return: encoded}, err
}
