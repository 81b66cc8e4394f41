// Package registry makes the image registry of a stack: a repository in each region, so that the loss of one region
// leaves the others something to start pods from. Images are pushed to the primary region's and copied by ECR.
package registry

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/multiregion/internal/cloud"
)

const typeToken = "agentstack:components:Registry"

// untaggedKept is how many images are kept that lost their tag to a later build, to roll back to.
const untaggedKept = 30

// Args configures a registry.
type Args struct {
	// Environment is part of the repository's name. Required.
	Environment string
	// AccountID is the AWS account of the registry. Required.
	AccountID string
	// Regions with a repository, the one that images are pushed to first. At least one.
	Regions []Region
}

// Region is a region with a repository.
type Region struct {
	Name     string
	Provider pulumi.ProviderResource
}

// Registry is where images are pushed to and pulled from.
type Registry struct {
	pulumi.ResourceState

	// Repository is the URL of the repository to push to.
	Repository pulumi.StringOutput
	// Username and Password are good for pushing, for 12 hours.
	Username, Password pulumi.StringOutput
}

// Validate reports every problem of the arguments, each led by the path of its field below path.
func (a Args) Validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	if a.Environment == "" {
		problems = append(problems, field.Required(path.Child("environment"), "give the name of the environment"))
	}
	if a.AccountID == "" {
		problems = append(problems, field.Required(path.Child("accountId"), "give the AWS account"))
	}
	if len(a.Regions) == 0 {
		problems = append(problems, field.Required(path.Child("regions"), "give at least one region"))
	}
	return problems
}

// New registers a registry. Bad arguments register nothing.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Registry, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("validate arguments of %s: %w", name, err)
	}
	registry := &Registry{}
	if err := ctx.RegisterComponentResource(typeToken, name, registry, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	var repositories []pulumi.Resource
	for i, region := range args.Regions {
		repository, err := newRepository(ctx, name+"-"+region.Name, args.Environment, region, pulumi.Parent(registry))
		if err != nil {
			return nil, err
		}
		if i == 0 {
			registry.Repository = repository.RepositoryUrl
		}
		repositories = append(repositories, repository)
	}
	source := pulumi.Provider(args.Regions[0].Provider)
	if len(args.Regions) > 1 {
		// Into a repository that does not exist, ECR would copy too, but without what is configured here.
		if _, err := ecr.NewReplicationConfiguration(ctx, name, replicationArgs(args), pulumi.Parent(registry), source,
			pulumi.DependsOn(repositories)); err != nil {
			return nil, fmt.Errorf("register replication of %s: %w", name, err)
		}
	}
	token := ecr.GetAuthorizationTokenOutput(ctx, ecr.GetAuthorizationTokenOutputArgs{
		RegistryId: pulumi.String(args.AccountID),
	}, source)
	registry.Username = token.UserName()
	registry.Password = pulumi.ToSecret(token.Password()).(pulumi.StringOutput)
	if err := ctx.RegisterResourceOutputs(registry, pulumi.Map{"repository": registry.Repository}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return registry, nil
}

func newRepository(ctx *pulumi.Context, name, environment string, region Region, parent pulumi.ResourceOption,
) (*ecr.Repository, error) {
	in := pulumi.Provider(region.Provider)
	repository, err := ecr.NewRepository(ctx, name, repositoryArgs(environment, region.Name), parent, in)
	if err != nil {
		return nil, fmt.Errorf("register repository %s: %w", name, err)
	}
	policy, err := lifecyclePolicy()
	if err != nil {
		return nil, err
	}
	if _, err := ecr.NewLifecyclePolicy(ctx, name, &ecr.LifecyclePolicyArgs{
		Repository: repository.Name,
		Policy:     policy,
	}, parent, in); err != nil {
		return nil, fmt.Errorf("register lifecycle of repository %s: %w", name, err)
	}
	return repository, nil
}

func repositoryName(environment string) string { return "ai-agent-api-" + environment }

// repositoryArgs describes a repository whose tags can move, because each deployment pushes the tag of its environment
// again. What runs does not move with it: pods name images by digest.
func repositoryArgs(environment, region string) *ecr.RepositoryArgs {
	return &ecr.RepositoryArgs{
		Name:                       pulumi.String(repositoryName(environment)),
		ImageTagMutability:         pulumi.String("MUTABLE"),
		ImageScanningConfiguration: &ecr.RepositoryImageScanningConfigurationArgs{ScanOnPush: pulumi.Bool(true)},
		EncryptionConfigurations: ecr.RepositoryEncryptionConfigurationArray{
			&ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("KMS")},
		},
		Tags: cloud.Scope{Environment: environment, Region: region}.Tags(nil),
	}
}

// lifecyclePolicy returns the JSON form of what is deleted.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
func lifecyclePolicy() (pulumi.String, error) {
	type (
		selection struct {
			TagStatus   string `json:"tagStatus"`
			CountType   string `json:"countType"`
			CountNumber int    `json:"countNumber"`
		}
		rule struct {
			RulePriority int               `json:"rulePriority"`
			Description  string            `json:"description"`
			Selection    selection         `json:"selection"`
			Action       map[string]string `json:"action"`
		}
	)
	encoded, err := json.Marshal(map[string][]rule{"rules": {{
		RulePriority: 1,
		Description:  "Delete images that were replaced long ago",
		Selection:    selection{TagStatus: "untagged", CountType: "imageCountMoreThan", CountNumber: untaggedKept},
		Action:       map[string]string{"type": "expire"},
	}}})
	if err != nil {
		return "", fmt.Errorf("encode lifecycle policy: %w", err)
	}
	return pulumi.String(encoded), nil
}

// replicationArgs copies what is pushed to the first region to the others. AWS keeps one such configuration for all
// repositories of an account in a region: other stacks with several regions need another account or primary region.
func replicationArgs(args Args) *ecr.ReplicationConfigurationArgs {
	var destinations ecr.ReplicationConfigurationReplicationConfigurationRuleDestinationArray
	for _, region := range args.Regions[1:] {
		destinations = append(destinations, &ecr.ReplicationConfigurationReplicationConfigurationRuleDestinationArgs{
			Region:     pulumi.String(region.Name),
			RegistryId: pulumi.String(args.AccountID),
		})
	}
	filter := &ecr.ReplicationConfigurationReplicationConfigurationRuleRepositoryFilterArgs{
		Filter:     pulumi.String(repositoryName(args.Environment)),
		FilterType: pulumi.String("PREFIX_MATCH"),
	}
	rule := &ecr.ReplicationConfigurationReplicationConfigurationRuleArgs{
		Destinations: destinations,
		RepositoryFilters: ecr.ReplicationConfigurationReplicationConfigurationRuleRepositoryFilterArray{
			filter,
		},
	}
	return &ecr.ReplicationConfigurationArgs{
		ReplicationConfiguration: &ecr.ReplicationConfigurationReplicationConfigurationArgs{
			Rules: ecr.ReplicationConfigurationReplicationConfigurationRuleArray{rule},
		},
	}
}
