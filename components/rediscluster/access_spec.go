package rediscluster

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// service reaches any ready node, for clients that need one to find the others.
func service(args Args) *corev1.ServiceArgs {
	return &corev1.ServiceArgs{
		Metadata: args.metadata(Name).Args(),
		Spec: &corev1.ServiceSpecArgs{
			Selector: kube.StringMap(kube.Selector(Name)),
			Ports:    corev1.ServicePortArray{servicePort("redis", port)},
		},
	}
}

// headlessService gives each pod its DNS name, also while it is not ready: the nodes find each other by it.
func headlessService(args Args) *corev1.ServiceArgs {
	metadata := args.metadata(headless)
	metadata.Annotations = map[string]string{"pulumi.com/skipAwait": "true"}
	return &corev1.ServiceArgs{
		Metadata: metadata.Args(),
		Spec: &corev1.ServiceSpecArgs{
			ClusterIP:                pulumi.String("None"),
			PublishNotReadyAddresses: pulumi.Bool(true),
			Selector:                 kube.StringMap(kube.Selector(Name)),
			Ports:                    corev1.ServicePortArray{servicePort("redis", port), servicePort("bus", busPort)},
		},
	}
}

func servicePort(name string, number int) *corev1.ServicePortArgs {
	return &corev1.ServicePortArgs{
		Name:       pulumi.String(name),
		Port:       pulumi.Int(number),
		TargetPort: pulumi.String(name),
	}
}

// disruptionBudget lets a drain take one pod of the cluster at a time. A pod that is not ready serves nobody, so it
// never stands in the way of a drain.
func disruptionBudget(args Args) *policyv1.PodDisruptionBudgetArgs {
	return &policyv1.PodDisruptionBudgetArgs{
		Metadata: args.metadata(Name).Args(),
		Spec: &policyv1.PodDisruptionBudgetSpecArgs{
			MaxUnavailable:             pulumi.Int(1),
			UnhealthyPodEvictionPolicy: pulumi.String("AlwaysAllow"),
			Selector:                   kube.MatchLabels(kube.Selector(Name)),
		},
	}
}
