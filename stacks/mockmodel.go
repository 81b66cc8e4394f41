package stacks

import (
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/apiservice"
	"agentstack/internal/kube"
)

const (
	mockTypeToken = "agentstack:components:MockModel"
	mockName      = "mockllm"
	mockPort      = 8080
	// mockEmbedding is the model of the mock that embeds.
	mockEmbedding = "mock-embedding"
)

// mockModel is a model server with scripted answers, for stacks without a real one.
type mockModel struct {
	pulumi.ResourceState

	// Models are those that it answers as.
	Models apiservice.Models
}

type mockModelArgs struct {
	Namespace, Region string
	Image             pulumi.StringInput
}

func newMockModel(ctx *pulumi.Context, name string, args mockModelArgs,
	opts ...pulumi.ResourceOption,
) (*mockModel, error) {
	url := fmt.Sprintf("http://%s.%s.svc:%d", mockName, args.Namespace, mockPort)
	model := &mockModel{Models: mockModels(url)}
	if err := ctx.RegisterComponentResource(mockTypeToken, name, model, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	parent := pulumi.Parent(model)
	account, err := corev1.NewServiceAccount(ctx, name, &corev1.ServiceAccountArgs{
		Metadata:                     args.metadata().Args(),
		AutomountServiceAccountToken: pulumi.Bool(false),
	}, parent)
	if err != nil {
		return nil, fmt.Errorf("register ServiceAccount of %s: %w", name, err)
	}
	budget := kube.OneAtATime(args.metadata(), kube.Selector(mockName))
	if _, err := policyv1.NewPodDisruptionBudget(ctx, name, budget, parent); err != nil {
		return nil, fmt.Errorf("register PodDisruptionBudget of %s: %w", name, err)
	}
	clients := []kube.Traffic{{
		Peers: []kube.Peer{{Pods: kube.Selector(appName)}, {Pods: kube.Selector(appName + "-canary")}},
		Ports: []kube.Port{{Number: mockPort}},
	}}
	err = kube.NewNetworkPolicy(ctx, name, args.metadata(), kube.Selector(mockName), clients, nil, parent)
	if err != nil {
		return nil, err
	}
	deployment, err := appsv1.NewDeployment(ctx, name, mockDeploymentArgs(args), parent,
		pulumi.DependsOn([]pulumi.Resource{account}))
	if err != nil {
		return nil, fmt.Errorf("register Deployment of %s: %w", name, err)
	}
	if _, err := corev1.NewService(ctx, name, mockServiceArgs(args), parent,
		pulumi.DependsOn([]pulumi.Resource{deployment})); err != nil {
		return nil, fmt.Errorf("register Service of %s: %w", name, err)
	}
	if err := ctx.RegisterResourceOutputs(model, pulumi.Map{"url": pulumi.String(url)}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return model, nil
}
