package provider

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"

	"agentstack/local/plugins/property"
)

// isRelease reports whether a resource is a Helm release. Those are previewed only: what the program gives is shown as
// it is, and charts are not read.
func isRelease(urn string) bool {
	parsed := resource.URN(urn)
	return parsed.IsValid() && parsed.Type() == "kubernetes:helm.sh/v3:Release"
}

func errRelease(urn string) error {
	return fmt.Errorf("refuse Helm release %s: the local kubernetes provider previews Helm releases and does no more: "+
		"use the official kubernetes plugin", resource.URN(urn).Name())
}

func checkRelease(request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	news, err := property.Decode(request.GetNews(), "new inputs")
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.CheckResponse{Inputs: request.GetNews()}
	if news["chart"].IsNull() {
		response.Failures = []*pulumirpc.CheckFailure{{Property: "chart", Reason: "chart is required"}}
	}
	return response, nil
}

func diffRelease(request *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err := property.Decode(request.GetOldInputs(), "old inputs")
	if err != nil {
		return nil, err
	}
	news, err := property.Decode(request.GetNews(), "new inputs")
	if err != nil {
		return nil, err
	}
	return property.Diff(olds, news), nil
}

// previewRelease is the state of a release with everything that Helm would choose unknown.
func (p *Provider) previewRelease(urn string, inputs *structpb.Struct, preview bool) (*structpb.Struct, error) {
	if !preview {
		return nil, errRelease(urn)
	}
	state, err := property.Decode(inputs, "inputs")
	if err != nil {
		return nil, err
	}
	for _, key := range []resource.PropertyKey{"name", "namespace", "version", "manifest", "resourceNames", "status"} {
		if state[key].IsNull() {
			state[key] = resource.MakeComputed(resource.NewStringProperty(""))
		}
	}
	return p.marshal(state, "state")
}
