// Package provider serves docker:index/image:Image over Pulumi's provider protocol, with the inputs,
// outputs and state of the official docker provider v4.
package provider

import (
	"context"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"agentstack/local/plugins/docker/engine"
	"agentstack/local/plugins/property"
)

const (
	// Version is the version of the official provider whose protocol this one speaks.
	Version = "4.10.0"

	imageType = tokens.Type("docker:index/image:Image")
)

// Host is the part of the Pulumi engine that shows messages.
type Host interface {
	Log(ctx context.Context, severity diag.Severity, urn resource.URN, message string) error
	LogStatus(ctx context.Context, severity diag.Severity, urn resource.URN, message string) error
}

// Provider is the gRPC server.
type Provider struct {
	pulumirpc.UnimplementedResourceProviderServer

	host   Host
	config config
	// canceled ends when the engine asks to stop.
	canceled context.Context
	cancel   context.CancelFunc
}

// New returns a provider that shows its progress through host.
func New(host Host) *Provider {
	provider := &Provider{host: host}
	provider.canceled, provider.cancel = context.WithCancel(context.Background())
	return provider
}

// GetPluginInfo implements the protocol.
func (*Provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: Version}, nil
}

// CheckConfig refuses a configuration that cannot be used and returns the rest as it is.
func (*Provider) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (
	*pulumirpc.CheckResponse, error,
) {
	properties, err := property.Decode(req.GetNews(), "provider inputs")
	if err != nil {
		return nil, err
	}
	if _, err := decodeConfig(properties); err != nil {
		return &pulumirpc.CheckResponse{Failures: []*pulumirpc.CheckFailure{{Reason: err.Error()}}}, nil
	}
	return &pulumirpc.CheckResponse{Inputs: req.GetNews()}, nil
}

// DiffConfig never asks for replacement: an image does not depend on how the daemon is reached.
func (*Provider) DiffConfig(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err := property.Decode(req.GetOldInputs(), "old provider inputs")
	if err != nil {
		return nil, err
	}
	news, err := property.Decode(req.GetNews(), "new provider inputs")
	if err != nil {
		return nil, err
	}
	return diffResponse(olds, news), nil
}

// Configure keeps the configuration. The daemon is reached only when there is something to build.
func (p *Provider) Configure(_ context.Context, req *pulumirpc.ConfigureRequest) (
	*pulumirpc.ConfigureResponse, error,
) {
	properties, err := property.Decode(req.GetArgs(), "provider inputs")
	if err != nil {
		return nil, err
	}
	if p.config, err = decodeConfig(properties); err != nil {
		return nil, err
	}
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true}, nil
}

// Diff compares the inputs of the last build with the new ones.
func (p *Provider) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	if err := checkType(req.GetUrn()); err != nil {
		return nil, err
	}
	olds, err := property.Decode(req.GetOlds(), "old state")
	if err != nil {
		return nil, err
	}
	if olds, err = oldInputs(olds, req); err != nil {
		return nil, err
	}
	news, err := property.Decode(req.GetNews(), "new inputs")
	if err != nil {
		return nil, err
	}
	return diffResponse(olds, news), nil
}

// Create builds the image and pushes it.
func (p *Provider) Create(ctx context.Context, req *pulumirpc.CreateRequest) (
	*pulumirpc.CreateResponse, error,
) {
	state, name, err := p.apply(ctx, req.GetUrn(), req.GetProperties(), req.GetPreview())
	if err != nil || req.GetPreview() {
		name = ""
	}
	return &pulumirpc.CreateResponse{Id: name, Properties: state}, err
}

// Update builds and pushes again.
func (p *Provider) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (
	*pulumirpc.UpdateResponse, error,
) {
	state, _, err := p.apply(ctx, req.GetUrn(), req.GetNews(), req.GetPreview())
	return &pulumirpc.UpdateResponse{Properties: state}, err
}

// Read returns the state as it is: what was built and pushed does not drift, as in the official provider.
func (*Provider) Read(_ context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{
		Id: req.GetId(), Properties: req.GetProperties(), Inputs: req.GetInputs(),
	}, nil
}

// Delete removes nothing: tags in the daemon and in the registry stay, as in the official provider.
func (*Provider) Delete(context.Context, *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// Cancel ends builds that are under way.
func (p *Provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	p.cancel()
	return &emptypb.Empty{}, nil
}

func checkType(urn string) error {
	parsed, err := property.URN(urn)
	if err != nil {
		return err
	}
	if parsed.Type() != imageType {
		return status.Errorf(codes.Unimplemented, "this docker provider serves %s only, not %s",
			imageType, parsed.Type())
	}
	return nil
}

func (c config) engine() engine.Config {
	return engine.Config{Host: c.Host, CertPath: c.CertPath}
}
