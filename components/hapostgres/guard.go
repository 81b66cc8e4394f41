package hapostgres

import (
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// newGuard registers what replaces a primary that cannot write or is cut off, and fences a replica with a history of
// its own. It comes after the cluster, which makes the role that it logs in as.
func newGuard(ctx *pulumi.Context, name string, args Args, database kube.Database, parent, after pulumi.ResourceOption,
) error {
	name += "-guard"
	if err := kube.NewNetworkPolicy(ctx, name, args.guardMetadata(), kube.Selector(args.guardName()), nil,
		guardEgress(args), parent); err != nil {
		return err
	}
	if _, err := corev1.NewServiceAccount(ctx, name, guardServiceAccount(args), parent); err != nil {
		return fmt.Errorf("register ServiceAccount %s: %w", name, err)
	}
	if _, err := rbacv1.NewRole(ctx, name, guardRole(args), parent); err != nil {
		return fmt.Errorf("register Role %s: %w", name, err)
	}
	if _, err := rbacv1.NewRoleBinding(ctx, name, guardRoleBinding(args), parent); err != nil {
		return fmt.Errorf("register RoleBinding %s: %w", name, err)
	}
	budget := kube.OneAtATime(args.guardMetadata(), kube.Selector(args.guardName()))
	if _, err := policyv1.NewPodDisruptionBudget(ctx, name, budget, parent); err != nil {
		return fmt.Errorf("register PodDisruptionBudget %s: %w", name, err)
	}
	if _, err := appsv1.NewDeployment(ctx, name, guardDeployment(args, database), parent, after); err != nil {
		return fmt.Errorf("register Deployment %s: %w", name, err)
	}
	return nil
}
