package monitoring

import (
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"

	"agentstack/internal/kube"
)

// prometheusRules let Prometheus find pods and nodes, and read the metrics of kubelets.
func prometheusRules() rbacv1.PolicyRuleArray {
	return rbacv1.PolicyRuleArray{
		kube.PolicyRule("", []string{"pods", "nodes"}, "get", "list", "watch"),
		kube.PolicyRule("", []string{"nodes/metrics"}, "get"),
	}
}

// kubeStateRules let kube-state-metrics read what it tells about.
func kubeStateRules() rbacv1.PolicyRuleArray {
	var rules rbacv1.PolicyRuleArray
	for _, collected := range collected {
		rules = append(rules, kube.PolicyRule(collected.group, collected.kinds, "list", "watch"))
	}
	return rules
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
		RoleRef:  kube.RoleRef("ClusterRole", role),
		Subjects: kube.ServiceAccount(p.name, p.namespace),
	}
}

func role(args Args, p program, namespace string, rules rbacv1.PolicyRuleArray) *rbacv1.RoleArgs {
	return &rbacv1.RoleArgs{Metadata: foreignMetadata(args, p, namespace), Rules: rules}
}

func roleBinding(args Args, p program, namespace, role string) *rbacv1.RoleBindingArgs {
	return &rbacv1.RoleBindingArgs{
		Metadata: foreignMetadata(args, p, namespace),
		RoleRef:  kube.RoleRef("Role", role),
		Subjects: kube.ServiceAccount(p.name, p.namespace),
	}
}
