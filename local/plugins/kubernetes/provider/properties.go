package provider

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"google.golang.org/protobuf/types/known/structpb"
)

func unmarshal(properties *structpb.Struct, label string) (resource.PropertyMap, error) {
	result, err := plugin.UnmarshalProperties(properties, plugin.MarshalOptions{
		Label: label, KeepUnknowns: true, SkipNulls: true, KeepSecrets: true,
	})
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", label, err)
	}
	return result, nil
}

func (p *Provider) marshal(properties resource.PropertyMap, label string) (*structpb.Struct, error) {
	result, err := plugin.MarshalProperties(properties, plugin.MarshalOptions{
		Label: label, KeepUnknowns: true, SkipNulls: true, KeepSecrets: p.keepSecrets,
	})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", label, err)
	}
	return result, nil
}
