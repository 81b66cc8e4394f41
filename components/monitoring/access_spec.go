package monitoring

import (
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// prometheusRules let Prometheus find pods and nodes, and read the metrics of kubelets.
func prometheusRules() rbacv1.PolicyRuleArray {
	return rbacv1.PolicyRuleArray{
		policyRule("", []string{"pods", "nodes"}, "get", "list", "watch"),
		policyRule("", []string{"nodes/metrics"}, "get"),
	}
}

// kubeStateRules let kube-state-metrics read what it tells about.
func kubeStateRules() rbacv1.PolicyRuleArray {
	var rules rbacv1.PolicyRuleArray
	for _, collected := range collected {
		rules = append(rules, policyRule(collected.group, collected.kinds, "list", "watch"))
	}
	return rules
}

func policyRule(group string, resources []string, verbs ...string) *rbacv1.PolicyRuleArgs {
	return &rbacv1.PolicyRuleArgs{
		ApiGroups: pulumi.ToStringArray([]string{group}),
		Resources: pulumi.ToStringArray(resources),
		Verbs:     pulumi.ToStringArray(verbs),
	}
}

// clusterName is the name of a program's objects outside of its own namespace.
func clusterName(p program) string { return kube.PartOf + "-" + p.name }

// foreignMetadata is that of a program's object in another namespace, or, without one, in none.
func foreignMetadata(args Args, p program, namespace string) *metav1.ObjectMetaArgs {
	p.namespace = namespace
	return args.metadata(p, clusterName(p)).Args()
}

func clusterRole(args Args, p program, rules rbacv1.PolicyRuleArray) *rbacv1.ClusterRoleArgs {
	return &rbacv1.ClusterRoleArgs{Metadata: foreignMetadata(args, p, ""), Rules: rules}
}

func clusterRoleBinding(args Args, p program, role string) *rbacv1.ClusterRoleBindingArgs {
	return &rbacv1.ClusterRoleBindingArgs{
		Metadata: foreignMetadata(args, p, ""),
		RoleRef:  roleRef("ClusterRole", role),
		Subjects: p.subjects(),
	}
}

func role(args Args, p program, namespace string, rules rbacv1.PolicyRuleArray) *rbacv1.RoleArgs {
	return &rbacv1.RoleArgs{Metadata: foreignMetadata(args, p, namespace), Rules: rules}
}

func roleBinding(args Args, p program, namespace, role string) *rbacv1.RoleBindingArgs {
	return &rbacv1.RoleBindingArgs{
		Metadata: foreignMetadata(args, p, namespace),
		RoleRef:  roleRef("Role", role),
		Subjects: p.subjects(),
	}
}

func roleRef(kind, name string) *rbacv1.RoleRefArgs {
	return &rbacv1.RoleRefArgs{
		ApiGroup: pulumi.String("rbac.authorization.k8s.io"), Kind: pulumi.String(kind), Name: pulumi.String(name),
	}
}

// subjects is the program's ServiceAccount.
func (p program) subjects() rbacv1.SubjectArray {
	return rbacv1.SubjectArray{&rbacv1.SubjectArgs{
		Kind: pulumi.String("ServiceAccount"), Name: pulumi.String(p.name), Namespace: pulumi.String(p.namespace),
	}}
}
