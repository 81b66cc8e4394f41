package stacks

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/apiservice"
	"agentstack/components/hapostgres"
	"agentstack/components/rediscluster"
	"agentstack/internal/kube"
)

const namespace = "ai-agent"

// deployRegion registers what one region runs and returns the region's outputs.
func deployRegion(ctx *pulumi.Context, config Config, images images, region string,
	parent pulumi.ResourceOption,
) (pulumi.Map, error) {
	space, err := corev1.NewNamespace(ctx, namespace+"-"+region, namespaceArgs(region), parent)
	if err != nil {
		return nil, fmt.Errorf("register Namespace %s: %w", namespace, err)
	}
	inNamespace := pulumi.DependsOn([]pulumi.Resource{space})
	postgres, err := hapostgres.New(ctx, "ai-agent-db-"+region, hapostgres.Args{
		Namespace: namespace,
		Region:    region,
		Settings:  config.Postgres,
	}, parent, inNamespace)
	if err != nil {
		return nil, err
	}
	redis, err := rediscluster.New(ctx, "ai-agent-redis-"+region, config.redisArgs(region), parent, inNamespace)
	if err != nil {
		return nil, err
	}
	model, err := newModel(ctx, config, images, region, parent, inNamespace)
	if err != nil {
		return nil, err
	}
	api, err := apiservice.New(ctx, appName+"-"+region, apiservice.Args{
		Namespace:   namespace,
		Region:      region,
		Environment: config.Environment,
		Image:       images.api,
		Database:    apiservice.Database{SecretName: postgres.SecretName},
		Redis: apiservice.Redis{
			Addresses:  redis.Addresses,
			Username:   redis.Username,
			SecretName: redis.SecretName,
		},
		Model:    model,
		Settings: config.API,
	}, parent, pulumi.DependsOn([]pulumi.Resource{space, postgres.Cluster}))
	if err != nil {
		return nil, err
	}
	return pulumi.Map{
		"namespace": pulumi.String(api.Namespace),
		"service":   pulumi.String(api.ServiceName),
	}, nil
}

// newModel returns the configured model server, or deploys the one with scripted answers.
func newModel(ctx *pulumi.Context, config Config, images images, region string,
	opts ...pulumi.ResourceOption,
) (apiservice.Model, error) {
	if !config.Model.Mock {
		return apiservice.Model{BaseURL: config.Model.BaseURL, APIKey: config.secrets.modelAPIKey}, nil
	}
	mock, err := newMockModel(ctx, mockName+"-"+region, mockModelArgs{
		Namespace: namespace,
		Region:    region,
		Image:     images.mock,
	}, opts...)
	if err != nil {
		return apiservice.Model{}, err
	}
	return apiservice.Model{BaseURL: mock.BaseURL, APIKey: pulumi.String(mockAPIKey)}, nil
}

// namespaceArgs describes the namespace, in which only pods that satisfy the restricted Pod Security
// Standard start.
func namespaceArgs(region string) *corev1.NamespaceArgs {
	labels := kube.Merge(kube.Labels(namespace, "namespace", region), map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted",
		"pod-security.kubernetes.io/audit":   "restricted",
		"pod-security.kubernetes.io/warn":    "restricted",
	})
	return &corev1.NamespaceArgs{Metadata: kube.Metadata{Name: namespace, Labels: labels}.Args()}
}
