package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/policyx"

	"agentstack/policy/rule"
	"agentstack/policy/rules/availability"
	"agentstack/policy/rules/aws"
	"agentstack/policy/rules/databases"
	"agentstack/policy/rules/iam"
	"agentstack/policy/rules/images"
	"agentstack/policy/rules/network"
	"agentstack/policy/rules/pods"
	"agentstack/policy/rules/rbac"
	"agentstack/policy/rules/regions"
	"agentstack/policy/rules/routes"
	"agentstack/policy/rules/s3"
	"agentstack/policy/rules/secrets"
	"agentstack/policy/rules/tags"
)

// allRules are the rules of all concerns, in the order in which people read about them.
var allRules = slices.Concat(pods.Rules, images.Rules, availability.Rules, network.Rules, secrets.Rules, routes.Rules,
	rbac.Rules, databases.Rules, regions.Rules, s3.Rules, iam.Rules, aws.Rules, tags.Rules)

func newPack(ctx *pulumi.Context) (policyx.PolicyPack, error) {
	environment, err := environmentOf(ctx)
	if err != nil {
		return nil, err
	}
	judge := &judge{environment: environment, seen: map[string]rule.Resource{}}
	var policies []policyx.Policy
	for _, one := range allRules {
		policies = append(policies, judge.policy(one))
	}
	// The SDK drops the level of the pack: each policy has its own.
	pack, err := policyx.NewPolicyPack("agentstack", semver.MustParse("1.0.0"), policyx.EnforcementLevelMandatory,
		policies)
	if err != nil {
		return nil, fmt.Errorf("make policy pack: %w", err)
	}
	return pack, nil
}

// environmentOf reads the environment from the configuration of the stack, <project>:config. A stack without it is
// called by its environment.
func environmentOf(ctx *pulumi.Context) (rule.Environment, error) {
	encoded, found := ctx.GetConfig(ctx.Project() + ":config")
	if !found {
		return rule.Environment(ctx.Stack()), nil
	}
	var config struct {
		Environment rule.Environment `json:"environment"`
	}
	if err := json.Unmarshal([]byte(encoded), &config); err != nil {
		return "", fmt.Errorf("read environment from %s:config: %w", ctx.Project(), err)
	}
	if config.Environment == "" {
		return rule.Environment(ctx.Stack()), nil
	}
	return config.Environment, nil
}

// judge turns rules into policies. It remembers the inputs of every resource: what the engine sends for the whole
// stack are outputs, and in a preview there are none of resources whose provider is not known yet, such as those in
// an EKS cluster that is still to be made.
type judge struct {
	environment rule.Environment

	mu   sync.Mutex
	seen map[string]rule.Resource
}

func (j *judge) policy(one rule.Rule) policyx.Policy {
	if one.Stack != nil {
		return policyx.NewStackValidationPolicy(one.Name, policyx.StackValidationPolicyArgs{
			Description:      one.Description,
			EnforcementLevel: one.Level.Policyx(),
			ValidateStack: func(_ context.Context, args policyx.StackValidationArgs) error {
				one.Stack(j.stack(args.Resources), reporter(one.Name, args.Manager))
				return nil
			},
		})
	}
	return policyx.NewResourceValidationPolicy(one.Name, policyx.ResourceValidationPolicyArgs{
		Description:      one.Description,
		EnforcementLevel: one.Level.Policyx(),
		ValidateResource: func(_ context.Context, args policyx.ResourceValidationArgs) error {
			one.Resource(j.remember(args.Resource), reporter(one.Name, args.Manager))
			return nil
		},
	})
}

func (j *judge) remember(resource policyx.AnalyzerResource) rule.Resource {
	remembered := rule.NewResource(resource, j.environment)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen[resource.URN] = remembered
	return remembered
}

// stack returns the resources with the inputs that were remembered, in an order that does not change.
func (j *judge) stack(resources []policyx.AnalyzerResource) rule.Stack {
	j.mu.Lock()
	defer j.mu.Unlock()
	stack := rule.Stack{Environment: j.environment}
	for _, resource := range resources {
		judged, found := j.seen[resource.URN]
		if !found {
			judged = rule.NewResource(resource, j.environment)
		}
		stack.Resources = append(stack.Resources, judged.WithDependencies(resource.PropertyDependencies))
	}
	slices.SortFunc(stack.Resources, rule.Resource.Compare)
	return stack
}

// reporter tells the engine of violations for which there is no exception.
func reporter(name string, manager policyx.PolicyManager) rule.Report {
	return func(at rule.Value, format string, args ...any) {
		resource := at.Resource()
		if excepted(name, resource) {
			return
		}
		problem := fmt.Sprintf(format, args...)
		manager.ReportViolation(fmt.Sprintf("%s: %s: %s", resource, at.Path(), problem), resource.URN)
	}
}
