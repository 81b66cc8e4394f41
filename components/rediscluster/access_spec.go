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

// disruptionBudget lets a drain take one of the pods of a shard. It is one budget a shard, not one for the
// cluster: a pod whose disk keeps it on the drained machine waits there until the end of the drain, and must not hold
// up the pods of other shards. It counts what stays and not what goes: for a selector that takes a part of a
// StatefulSet, Kubernetes reckons maxUnavailable from the whole one. A pod that is not ready never stands in the way.
func disruptionBudget(args Args, shard string) *policyv1.PodDisruptionBudgetArgs {
	selector := kube.Merge(kube.Selector(Name), map[string]string{labelPodIndex: shard})
	return &policyv1.PodDisruptionBudgetArgs{
		Metadata: args.metadata(Name + "-" + shard).Args(),
		Spec: &policyv1.PodDisruptionBudgetSpecArgs{
			MinAvailable:               pulumi.Int(args.FollowersPerLeader),
			UnhealthyPodEvictionPolicy: pulumi.String("AlwaysAllow"),
			Selector:                   kube.MatchLabels(selector),
		},
	}
}
