package provider

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"agentstack/local/plugins/kubernetes/cluster"
	"agentstack/local/plugins/kubernetes/engine"
	"agentstack/local/plugins/property"
)

// CheckConfig refuses configuration that this provider cannot honour.
func (p *Provider) CheckConfig(
	_ context.Context, request *pulumirpc.CheckRequest,
) (*pulumirpc.CheckResponse, error) {
	news, err := property.Decode(request.GetNews(), "provider inputs")
	if err != nil {
		return nil, err
	}
	values, _, err := textValues(news)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.CheckResponse{Inputs: request.GetNews(), Failures: refused(values)}, nil
}

// clusterKeys decide which API server a configuration means.
var clusterKeys = []string{"kubeconfig", "context", "cluster"}

// DiffConfig plans the replacement of every resource when the configuration comes to mean another cluster. A
// clusterIdentifier, when given, decides alone.
func (p *Provider) DiffConfig(
	_ context.Context,
	request *pulumirpc.DiffRequest,
) (*pulumirpc.DiffResponse, error) {
	olds, err := property.Decode(request.GetOlds(), "old provider inputs")
	if err != nil {
		return nil, err
	}
	news, err := property.Decode(request.GetNews(), "new provider inputs")
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	changes := olds.Diff(news)
	if changes == nil {
		return response, nil
	}
	response.Changes = pulumirpc.DiffResponse_DIFF_SOME
	for _, key := range changes.ChangedKeys() {
		response.Diffs = append(response.Diffs, string(key))
	}
	slices.Sort(response.Diffs)

	before, _, err := textValues(olds)
	if err != nil {
		return nil, err
	}
	after, unknown, err := textValues(news)
	if err != nil {
		return nil, err
	}
	const identifier = "clusterIdentifier"
	switch {
	case after[identifier] != "" && after[identifier] == before[identifier]:
	case after[identifier] != "" && before[identifier] != "":
		response.Replaces = []string{identifier}
	case intersects(clusterKeys, unknown) || !cluster.SameCluster(targetOf(before), targetOf(after)):
		for _, key := range response.Diffs {
			if slices.Contains(clusterKeys, key) {
				response.Replaces = append(response.Replaces, key)
			}
		}
	}
	return response, nil
}

func intersects(a, b []string) bool {
	return slices.ContainsFunc(a, func(key string) bool { return slices.Contains(b, key) })
}

// Configure connects to the cluster. An unreachable one is remembered rather than reported: a preview works
// without it, and each operation that needs it says so.
func (p *Provider) Configure(
	ctx context.Context, request *pulumirpc.ConfigureRequest,
) (*pulumirpc.ConfigureResponse, error) {
	args, err := property.Decode(request.GetArgs(), "provider arguments")
	if err != nil {
		return nil, err
	}
	values, _, err := textValues(args)
	if err != nil {
		return nil, err
	}
	settings, err := parseSettings(values)
	if err != nil {
		return nil, p.report(err)
	}
	p.settings, p.keepSecrets = settings, request.GetAcceptSecrets()
	p.client, p.unreachable, p.own = nil, nil, p.log.For(request.GetUrn())
	if err := p.connect(ctx); err != nil {
		p.unreachable = cluster.ExplainUnreachable(err)
	}
	return &pulumirpc.ConfigureResponse{
		AcceptSecrets: true, SupportsPreview: true, SupportsAutonamingConfiguration: true,
	}, nil
}

func (p *Provider) connect(ctx context.Context) error {
	config, namespace, err := p.settings.target.Config()
	if err != nil {
		return err
	}
	p.namespace = namespace
	options := p.settings.client.options()
	options.Warn = func(ctx context.Context, message string) {
		if !p.settings.suppressDeprecationWarnings || !strings.Contains(message, "deprecated") {
			engine.WarnFrom(ctx, message)
		}
	}
	client, err := cluster.New(ctx, config, options)
	if request := (*url.Error)(nil); errors.As(err, &request) {
		err = request.Err // the rest of it repeats the host
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.settings.target.At(config.Host), err)
	}
	p.client = client
	return nil
}
