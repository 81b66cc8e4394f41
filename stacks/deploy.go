// Package stacks composes the components into what a stack's configuration asks for.
package stacks

import (
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/apiservice"
	"agentstack/components/multiregion"
)

const (
	// appContext is the folder with the application's sources, as seen from the project's folder.
	appContext = "./app"
	// appName is the name of the API and of its images.
	appName = "ai-agent-api"
)

// Deploy registers everything that the stack consists of. Nothing is registered when its configuration is
// bad.
func Deploy(ctx *pulumi.Context) error {
	config, err := LoadConfig(ctx)
	if err != nil {
		return err
	}
	images, err := buildImages(ctx, config)
	if err != nil {
		return err
	}
	regions, err := newRegions(ctx, config.Regions)
	if err != nil {
		return err
	}
	deployed, err := multiregion.New(ctx, "ai-agent", multiregion.Args{
		Primary: config.PrimaryRegion,
		Regions: regions,
		Deploy: func(ctx *pulumi.Context, region string, parent pulumi.ResourceOption) (pulumi.Map, error) {
			return deployRegion(ctx, config, images, region, parent)
		},
	})
	if err != nil {
		return err
	}
	ctx.Export("image", images.api)
	ctx.Export("primaryRegion", pulumi.String(config.PrimaryRegion))
	ctx.Export("regions", deployed.Outputs)
	return nil
}

// newRegions makes a provider for the cluster of each region. The region identifies the cluster: a
// kubeconfig in another place does not make the provider replace everything.
func newRegions(ctx *pulumi.Context, configured []Region) ([]multiregion.Region, error) {
	var regions []multiregion.Region
	for _, region := range configured {
		provider, err := kubernetes.NewProvider(ctx, "kubernetes-"+region.Name, &kubernetes.ProviderArgs{
			Context:               pulumi.String(region.KubeContext),
			ClusterIdentifier:     pulumi.String(region.Name),
			EnableServerSideApply: pulumi.Bool(true),
		})
		if err != nil {
			return nil, fmt.Errorf("register provider of region %s: %w", region.Name, err)
		}
		regions = append(regions, multiregion.Region{Name: region.Name, Provider: provider})
	}
	return regions, nil
}

// images are the references, by digest, of what the regions run. mock is nil unless the configuration asks
// for it.
type images struct {
	api  pulumi.StringInput
	mock pulumi.StringInput
}

func buildImages(ctx *pulumi.Context, config Config) (images, error) {
	build := func(name, target, tag string) (pulumi.StringInput, error) {
		return apiservice.NewImage(ctx, name, apiservice.ImageArgs{
			Context:       appContext,
			Target:        target,
			Tag:           tag,
			Password:      config.secrets.registryPassword,
			ImageSettings: config.Image,
		})
	}
	api, err := build(appName, "agentd", config.Environment)
	if err != nil {
		return images{}, err
	}
	if !config.Model.Mock {
		return images{api: api}, nil
	}
	mock, err := build(mockName, "mockllm", config.Environment+"-"+mockName)
	if err != nil {
		return images{}, err
	}
	return images{api: api, mock: mock}, nil
}
