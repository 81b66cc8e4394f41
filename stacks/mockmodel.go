package stacks

import (
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	mockTypeToken = "agentstack:components:MockModel"
	mockName      = "mockllm"
	mockPort      = 8080
	// mockAPIKey is what the API sends to the mock, which accepts any key.
	mockAPIKey = "mock"
)

// mockModel is a model server with scripted answers, for stacks without a real one.
type mockModel struct {
	pulumi.ResourceState

	// BaseURL of its OpenAI-compatible API.
	BaseURL string
}

type mockModelArgs struct {
	Namespace, Region string
	Image             pulumi.StringInput
}

func newMockModel(ctx *pulumi.Context, name string, args mockModelArgs,
	opts ...pulumi.ResourceOption,
) (*mockModel, error) {
	model := &mockModel{BaseURL: fmt.Sprintf("http://%s.%s.svc:%d/v1", mockName, args.Namespace, mockPort)}
	if err := ctx.RegisterComponentResource(mockTypeToken, name, model, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	parent := pulumi.Parent(model)
	deployment, err := appsv1.NewDeployment(ctx, name, mockDeploymentArgs(args), parent)
	if err != nil {
		return nil, fmt.Errorf("register Deployment of %s: %w", name, err)
	}
	if _, err := corev1.NewService(ctx, name, mockServiceArgs(args), parent,
		pulumi.DependsOn([]pulumi.Resource{deployment})); err != nil {
		return nil, fmt.Errorf("register Service of %s: %w", name, err)
	}
	if err := ctx.RegisterResourceOutputs(model, pulumi.Map{"baseUrl": pulumi.String(model.BaseURL)}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return model, nil
}
