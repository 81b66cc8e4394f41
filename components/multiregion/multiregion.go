// Package multiregion deploys the same composition into every region: one Kubernetes cluster, and so one provider, per
// region. On AWS it makes what the regions stand on: clusters, a registry, buckets, certificates and DNS records.
package multiregion

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/multiregion/eks"
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
	s := &stack{
		ctx: ctx, name: name, args: args, parent: pulumi.Parent(all),
		hostnames: map[string]pulumi.StringInput{},
	}
	if args.AWS != nil {
		if err := s.newCloud(); err != nil {
			return nil, err
		}
	}
	if args.Prepare != nil {
		if err := args.Prepare(s.shared); err != nil {
			return nil, err
		}
	}
	for _, region := range args.primaryFirst() {
		outputs, err := s.deploy(region)
		if err != nil {
			return nil, fmt.Errorf("deploy region %s: %w", region.Name, err)
		}
		all.Outputs[region.Name] = outputs
	}
	if args.AWS != nil {
		if err := s.newRecords(); err != nil {
			return nil, err
		}
	}
	if err := ctx.RegisterResourceOutputs(all, pulumi.Map{
		"primary": pulumi.String(args.Primary),
		"regions": all.Outputs,
	}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return all, nil
}

// stack registers the regions and what they stand on.
type stack struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOption

	shared       Shared
	certificates map[string]pulumi.StringOutput
	// hostnames of the load balancers, by region.
	hostnames map[string]pulumi.StringInput
}

func (s *stack) deploy(region Region) (pulumi.Map, error) {
	provider, ready, err := s.cluster(region)
	if err != nil {
		return nil, err
	}
	group := &regionGroup{}
	// What is in the group waits with it.
	if err := s.ctx.RegisterComponentResource(regionTypeToken, region.Name, group, s.parent,
		pulumi.Providers(provider), pulumi.DependsOn(ready)); err != nil {
		return nil, fmt.Errorf("register component: %w", err)
	}
	deployed, err := s.args.Deploy(s.ctx, s.target(region.Name), pulumi.Parent(group))
	if err != nil {
		return nil, err
	}
	s.hostnames[region.Name] = deployed.Hostname
	if err := s.ctx.RegisterResourceOutputs(group, deployed.Outputs); err != nil {
		return nil, fmt.Errorf("register outputs: %w", err)
	}
	return deployed.Outputs, nil
}

// cluster returns the provider of a region's cluster, which it makes where that is asked for, and what there has to be
// in the cluster before anything else.
func (s *stack) cluster(region Region) (pulumi.ProviderResource, []pulumi.Resource, error) {
	if region.EKS == nil {
		return region.Kubernetes, nil, nil
	}
	made, err := eks.New(s.ctx, s.name+"-"+region.Name, eks.Args{
		Scope:      s.scope(region.Name),
		Settings:   *region.EKS,
		Identities: s.identities(region.Name),
	}, s.parent, pulumi.Providers(region.AWS))
	if err != nil {
		return nil, nil, err
	}
	return made.Provider, made.Ready, nil
}
