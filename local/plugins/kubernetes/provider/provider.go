// Package provider serves Pulumi's resource provider protocol for the package "kubernetes". Inputs, outputs
// and state have the official provider's shape.
package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"agentstack/local/plugins/kubernetes/cluster"
	"agentstack/local/plugins/kubernetes/engine"
	"agentstack/local/plugins/kubernetes/object"
)

// Version is that of the official provider and SDK whose protocol this one speaks.
const Version = "4.23.0"

// Provider manages Kubernetes objects for the Pulumi engine.
type Provider struct {
	pulumirpc.UnimplementedResourceProviderServer

	log      *engine.Log
	redactor *object.Redactor

	// canceled ends when the engine asks to stop.
	canceled context.Context
	cancel   context.CancelFunc

	// Set by Configure, which the engine calls before any operation on a resource.
	settings    settings
	client      *cluster.Client  // nil while the cluster is unreachable
	unreachable error            // why client is nil
	namespace   string           // of objects that name none
	keepSecrets bool             // the engine understands secrets
	own         *engine.Resource // log of the provider itself
	warned      sync.Map         // kinds that a preview found missing
}

// New returns a provider that logs to log. Everything it reports goes through redactor.
func New(log *engine.Log, redactor *object.Redactor) *Provider {
	canceled, cancel := context.WithCancel(context.Background())
	return &Provider{log: log, redactor: redactor, canceled: canceled, cancel: cancel}
}

// GetPluginInfo returns the provider's version.
func (p *Provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: Version}, nil
}

// GetSchema returns the package's name and version; programs bring their own SDK.
func (p *Provider) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	schema, err := json.Marshal(map[string]any{"name": "kubernetes", "version": Version})
	if err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	return &pulumirpc.GetSchemaResponse{Schema: string(schema)}, nil
}

// Cancel ends every running wait. The operations return what they know.
func (p *Provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	p.cancel()
	return &emptypb.Empty{}, nil
}

// Construct refuses the components of the official provider.
func (p *Provider) Construct(
	_ context.Context, request *pulumirpc.ConstructRequest,
) (*pulumirpc.ConstructResponse, error) {
	return nil, unsupported(request.GetType())
}

// Invoke refuses the functions of the official provider.
func (p *Provider) Invoke(
	_ context.Context,
	request *pulumirpc.InvokeRequest,
) (*pulumirpc.InvokeResponse, error) {
	return nil, unsupported(request.GetTok())
}

func unsupported(what string) error {
	return status.Errorf(codes.Unimplemented, "%s is not supported by the local kubernetes provider: "+
		"declare the objects as resources of their own kinds", what)
}

// operation returns the context of one operation on a resource and its log.
func (p *Provider) operation(ctx context.Context, urn string) (context.Context, *engine.Resource, func()) {
	log := p.log.For(urn)
	ctx, cancel := context.WithCancel(log.With(ctx))
	detach := context.AfterFunc(p.canceled, cancel)
	return ctx, log, func() { detach(); cancel() }
}

// report is the last thing that happens to an error before the engine prints it.
func (p *Provider) report(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(p.redactor.Redact(err.Error()))
}
