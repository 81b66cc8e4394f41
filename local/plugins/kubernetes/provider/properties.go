package provider

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"google.golang.org/protobuf/types/known/structpb"

	"agentstack/local/plugins/property"
)

func (p *Provider) marshal(properties resource.PropertyMap, label string) (*structpb.Struct, error) {
	return property.Encode(properties, label, p.keepSecrets)
}
