// Package stacks composes the components into what a stack's configuration asks for.
package stacks

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/apiservice"
	"agentstack/components/hapostgres"
	"agentstack/components/multiregion"
	"agentstack/internal/supplychain"
)

const (
	// appContext is the folder with the application's sources, as seen from the project's folder.
	appContext = "./app"
	// appName is the name of the API and of its images.
	appName = "ai-agent-api"
)

// attach signs images. Tests, which have no registry, take another one.
var attach apiservice.Attach = supplychain.Attach

// Deploy registers everything that the stack consists of. Nothing is registered when its configuration is
// bad.
func Deploy(ctx *pulumi.Context) error {
	config, err := LoadConfig(ctx)
	if err != nil {
		return err
	}
	regions, err := newRegions(ctx, config)
	if err != nil {
		return err
	}
	cloud, err := newCloud(ctx, config, regions)
	if err != nil {
		return err
	}
	key, err := apiservice.NewSigningKey(ctx, "image-signing", config.secrets.signingKey)
	if err != nil {
		return err
	}
	deployment := deployment{config: config, primaries: map[string]*hapostgres.HaPostgres{}}
	deployed, err := multiregion.New(ctx, "ai-agent", multiregion.Args{
		Primary: config.PrimaryRegion,
		Regions: regions,
		AWS:     cloud,
		Prepare: func(shared multiregion.Shared) (err error) {
			deployment.images, err = buildImages(ctx, config, shared, key)
			return err
		},
		Deploy: deployment.region,
	})
	if err != nil {
		return err
	}
	ctx.Export("image", deployment.images.api)
	ctx.Export("imagePublicKey", key.Public)
	ctx.Export("primaryRegion", pulumi.String(config.PrimaryRegion))
	ctx.Export("regions", deployed.Outputs)
	ctx.Export("signupToken", deployment.primaryAPI.SignupToken)
	return nil
}

// newRegions makes the providers of each region. The region identifies an existing cluster: a kubeconfig in
// another place does not make the provider replace everything. ConfigMaps and Secrets change in place, unless the
// provider has named them.
func newRegions(ctx *pulumi.Context, config Config) ([]multiregion.Region, error) {
	var regions []multiregion.Region
	for _, configured := range config.Regions {
		region := multiregion.Region{Name: configured.Name, EKS: configured.EKS}
		if configured.EKS == nil {
			provider, err := kubernetes.NewProvider(ctx, "kubernetes-"+configured.Name, &kubernetes.ProviderArgs{
				Context:                pulumi.String(configured.KubeContext),
				ClusterIdentifier:      pulumi.String(configured.Name),
				EnableServerSideApply:  pulumi.Bool(true),
				EnableConfigMapMutable: pulumi.Bool(true),
				EnableSecretMutable:    pulumi.Bool(true),
			})
			if err != nil {
				return nil, fmt.Errorf("register provider of region %s: %w", configured.Name, err)
			}
			region.Kubernetes = provider
		}
		if config.AWS != nil {
			provider, err := aws.NewProvider(ctx, "aws-"+configured.Name, &aws.ProviderArgs{
				Region: pulumi.String(configured.Name),
			})
			if err != nil {
				return nil, fmt.Errorf("register AWS provider of region %s: %w", configured.Name, err)
			}
			region.AWS = provider
		}
		regions = append(regions, region)
	}
	return regions, nil
}

// newCloud returns nil for a stack without AWS. It asks AWS who is there first, so that missing credentials are named
// in one line and before anything is made.
func newCloud(ctx *pulumi.Context, config Config, regions []multiregion.Region) (*multiregion.AWS, error) {
	if config.AWS == nil {
		return nil, nil
	}
	caller, err := aws.GetCallerIdentity(ctx, nil, pulumi.Provider(regions[0].AWS))
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("ask AWS for the account: set AWS_PROFILE, run `aws sso login`, "+
			"or give the job a role to assume: %s", reason)
	}
	return &multiregion.AWS{
		Settings:    *config.AWS,
		Environment: config.Environment,
		AccountID:   caller.AccountId,
		Databases:   config.Postgres.names(),
	}, nil
}

// images are the references, by digest, of what the regions run. mock is nil unless the configuration asks
// for it.
type images struct {
	api  pulumi.StringInput
	mock pulumi.StringInput
}

func buildImages(ctx *pulumi.Context, config Config, shared multiregion.Shared, key *apiservice.SigningKey,
) (images, error) {
	repository, login := registry(config, shared)
	build := func(name, target, tag string) (pulumi.StringInput, error) {
		return apiservice.NewImage(ctx, name, apiservice.ImageArgs{
			Context:      appContext,
			Target:       target,
			Tag:          tag,
			Repository:   repository,
			Login:        login,
			BuildNetwork: config.Image.BuildNetwork,
			Key:          key,
			Attach:       attach,
		})
	}
	api, err := build(appName, "agentd", config.Environment)
	if err != nil {
		return images{}, err
	}
	if !config.Models.Mock {
		return images{api: api}, nil
	}
	mock, err := build(mockName, "mockllm", config.Environment+"-"+mockName)
	if err != nil {
		return images{}, err
	}
	return images{api: api, mock: mock}, nil
}

// registry returns the repository to push to and the account to do it with, nil for the Docker client's own.
func registry(config Config, shared multiregion.Shared) (pulumi.StringInput, *apiservice.Login) {
	switch {
	case config.AWS != nil:
		return shared.Repository, &apiservice.Login{Username: shared.Username, Password: shared.Password}
	case config.Image.Username != "":
		return pulumi.String(config.Image.Repository), &apiservice.Login{
			Username: pulumi.String(config.Image.Username),
			Password: config.secrets.registryPassword,
		}
	}
	return pulumi.String(config.Image.Repository), nil
}
