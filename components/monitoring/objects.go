package monitoring

import (
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// replaceData replaces an object whose data changes: the new one has a new name, which rolls the pods out.
var replaceData = pulumi.ReplaceOnChanges([]string{"data"})

// configMap registers the files of a program and returns the name that the provider gave to their object.
func (r registration) configMap(name, namespace string, files map[string]string) (pulumi.StringPtrOutput, error) {
	meta := r.args.metadata(program{name: name, namespace: namespace}, "")
	config, err := corev1.NewConfigMap(r.ctx, r.args.resourceName(name), &corev1.ConfigMapArgs{
		Metadata:  meta.Args(),
		Immutable: pulumi.Bool(true),
		Data:      kube.StringMap(files),
	}, r.parent, replaceData)
	if err != nil {
		return pulumi.StringPtrOutput{}, fmt.Errorf("register ConfigMap: %w", err)
	}
	return config.Metadata.Name(), nil
}

// access registers what a program's pods need before they start: their account and whom they may talk to.
func (r registration) access(p program, ingress, egress []kube.Traffic) error {
	name := r.args.resourceName(p.name)
	if _, err := corev1.NewServiceAccount(r.ctx, name, p.serviceAccount(r.args), r.parent); err != nil {
		return fmt.Errorf("register ServiceAccount: %w", err)
	}
	return kube.NewNetworkPolicy(r.ctx, name, r.args.metadata(p, p.name), p.selector(), ingress, egress, r.parent)
}

func (r registration) clusterRole(p program, rules rbacv1.PolicyRuleArray) error {
	name := r.args.resourceName(p.name)
	if _, err := rbacv1.NewClusterRole(r.ctx, name, clusterRole(r.args, p, rules), r.parent); err != nil {
		return fmt.Errorf("register ClusterRole: %w", err)
	}
	if _, err := rbacv1.NewClusterRoleBinding(r.ctx, name, clusterRoleBinding(r.args, p, clusterName(p)),
		r.parent); err != nil {
		return fmt.Errorf("register ClusterRoleBinding: %w", err)
	}
	return nil
}

// statefulSet registers the pods of p with their Services and, if there are several, their disruption budget.
func (r registration) statefulSet(p program, size string) error {
	name := r.args.resourceName(p.name)
	set, err := appsv1.NewStatefulSet(r.ctx, name, p.statefulSet(r.args, size), r.parent)
	if err != nil {
		return fmt.Errorf("register StatefulSet: %w", err)
	}
	// The provider waits until a Service has endpoints, which is after the pods.
	after := pulumi.DependsOn([]pulumi.Resource{set})
	_, err = corev1.NewService(r.ctx, headless(p.name)+"-"+r.args.Region, p.headlessService(r.args), r.parent)
	if err != nil {
		return fmt.Errorf("register headless Service: %w", err)
	}
	if _, err := r.service(p, after); err != nil {
		return err
	}
	return r.disruptionBudget(p)
}

// disruptionBudget registers one if there are several pods.
func (r registration) disruptionBudget(p program) error {
	if p.replicas < 2 {
		return nil
	}
	name := r.args.resourceName(p.name)
	if _, err := policyv1.NewPodDisruptionBudget(r.ctx, name, p.disruptionBudget(r.args), r.parent); err != nil {
		return fmt.Errorf("register PodDisruptionBudget: %w", err)
	}
	return nil
}

// deployment registers the pods of p and, if there are several, their disruption budget.
func (r registration) deployment(p program, opts ...pulumi.ResourceOption) (pulumi.Resource, error) {
	name := r.args.resourceName(p.name)
	deployment, err := appsv1.NewDeployment(r.ctx, name, p.deployment(r.args), append(opts, r.parent)...)
	if err != nil {
		return nil, fmt.Errorf("register Deployment: %w", err)
	}
	return deployment, r.disruptionBudget(p)
}

func (r registration) daemonSet(p program) error {
	if _, err := appsv1.NewDaemonSet(r.ctx, r.args.resourceName(p.name), p.daemonSet(r.args), r.parent); err != nil {
		return fmt.Errorf("register DaemonSet: %w", err)
	}
	return nil
}

func (r registration) service(p program, opts ...pulumi.ResourceOption) (pulumi.Resource, error) {
	name := r.args.resourceName(p.name)
	service, err := corev1.NewService(r.ctx, name, p.service(r.args), append(opts, r.parent)...)
	if err != nil {
		return nil, fmt.Errorf("register Service: %w", err)
	}
	return service, nil
}
