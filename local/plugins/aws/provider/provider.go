// Package provider serves Pulumi's resource provider protocol for the package "aws" as a simulation: no network, no
// account. Inputs, outputs and IDs have the official provider's shape, and the state is Pulumi's own.
package provider

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"

	"agentstack/local/plugins/aws/catalog"
	"agentstack/local/plugins/property"
)

// Version is the version of the official provider whose protocol this one speaks.
const Version = "6.83.0"

// Host is the part of the Pulumi engine that shows messages.
type Host interface {
	Log(ctx context.Context, severity diag.Severity, urn resource.URN, message string) error
}

// Provider is the gRPC server. Nothing that it does takes long enough to be cancelled.
type Provider struct {
	pulumirpc.UnimplementedResourceProviderServer

	host   Host
	config config // set by Configure, which the engine calls before any operation on a resource
}

// New returns a provider that shows its messages through host.
func New(host Host) *Provider { return &Provider{host: host} }

// GetPluginInfo implements the protocol.
func (*Provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: Version}, nil
}

// GetSchema returns the package's name and version; programs bring their own SDK.
func (*Provider) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	schema, err := json.Marshal(map[string]any{"name": "aws", "version": Version})
	if err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	return &pulumirpc.GetSchemaResponse{Schema: string(schema)}, nil
}

// Cancel implements the protocol.
func (*Provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// typeOf returns what the table says of the resource's type.
func typeOf(urn string) (catalog.Type, resource.URN, error) {
	parsed, err := property.URN(urn)
	if err != nil {
		return catalog.Type{}, "", err
	}
	known, err := catalog.Find(string(parsed.Type()))
	return known, parsed, err
}
