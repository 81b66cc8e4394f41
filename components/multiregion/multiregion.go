// Package multiregion deploys the same composition into every region: one Kubernetes cluster, and so one
// provider, per region.
package multiregion

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	typeToken       = "agentstack:components:MultiRegion"
	regionTypeToken = "agentstack:components:Region"
)

// MultiRegion groups the regions of a stack.
type MultiRegion struct {
	pulumi.ResourceState

	// Outputs holds, by the region's name, what Args.Deploy returned for it.
	Outputs pulumi.Map
}

// regionGroup is the parent of everything in one region; its children inherit the region's provider.
type regionGroup struct {
	pulumi.ResourceState
}

// New registers a group for each region and deploys into it, the primary region first. Bad arguments
// register nothing.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*MultiRegion, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("validate arguments of %s: %w", name, err)
	}
	all := &MultiRegion{Outputs: pulumi.Map{}}
	if err := ctx.RegisterComponentResource(typeToken, name, all, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	for _, region := range args.primaryFirst() {
		outputs, err := deploy(ctx, region, args.Deploy, pulumi.Parent(all))
		if err != nil {
			return nil, fmt.Errorf("deploy region %s: %w", region.Name, err)
		}
		all.Outputs[region.Name] = outputs
	}
	if err := ctx.RegisterResourceOutputs(all, pulumi.Map{
		"primary": pulumi.String(args.Primary),
		"regions": all.Outputs,
	}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return all, nil
}

func deploy(ctx *pulumi.Context, region Region, deploy Deploy, parent pulumi.ResourceOption) (pulumi.Map, error) {
	group := &regionGroup{}
	if err := ctx.RegisterComponentResource(regionTypeToken, region.Name, group, parent,
		pulumi.Providers(region.Provider)); err != nil {
		return nil, fmt.Errorf("register component: %w", err)
	}
	outputs, err := deploy(ctx, region.Name, pulumi.Parent(group))
	if err != nil {
		return nil, err
	}
	if err := ctx.RegisterResourceOutputs(group, outputs); err != nil {
		return nil, fmt.Errorf("register outputs: %w", err)
	}
	return outputs, nil
}
