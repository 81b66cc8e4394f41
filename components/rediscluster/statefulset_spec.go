package rediscluster

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

func statefulSet(args Args, r role, parts podParts) *appsv1.StatefulSetArgs {
	metadata := args.metadata(r.object())
	metadata.Labels = kube.Merge(metadata.Labels, r.selector())
	return &appsv1.StatefulSetArgs{
		Metadata: metadata.Args(),
		Spec: &appsv1.StatefulSetSpecArgs{
			Replicas:    pulumi.Int(args.Leaders),
			ServiceName: pulumi.String(headless),
			Selector:    kube.MatchLabels(r.selector()),
			// After a restart of all machines the nodes need each other, so none waits for another.
			PodManagementPolicy: pulumi.String("Parallel"),
			PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicyArgs{
				WhenDeleted: pulumi.String("Retain"),
				WhenScaled:  pulumi.String("Retain"),
			},
			Template:             podTemplate(args, r, parts),
			VolumeClaimTemplates: corev1.PersistentVolumeClaimTypeArray{volumeClaim(args)},
		},
	}
}

func volumeClaim(args Args) corev1.PersistentVolumeClaimTypeArgs {
	spec := &corev1.PersistentVolumeClaimSpecArgs{
		AccessModes: pulumi.ToStringArray([]string{"ReadWriteOnce"}),
		Resources: &corev1.VolumeResourceRequirementsArgs{
			Requests: pulumi.StringMap{"storage": pulumi.String(args.Storage.Size)},
		},
	}
	if args.Storage.Class != "" {
		spec.StorageClassName = pulumi.String(args.Storage.Class)
	}
	return corev1.PersistentVolumeClaimTypeArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(dataVolume)},
		Spec:     spec,
	}
}

// affinity keeps leaders on different machines, and the pods of a shard too, in different zones if there are some.
func affinity(r role) *corev1.AffinityArgs {
	if r == leader {
		return &corev1.AffinityArgs{PodAntiAffinity: &corev1.PodAntiAffinityArgs{
			RequiredDuringSchedulingIgnoredDuringExecution: corev1.PodAffinityTermArray{
				&corev1.PodAffinityTermArgs{
					TopologyKey:   pulumi.String(kube.LabelHost),
					LabelSelector: kube.MatchLabels(leader.selector()),
				},
			},
		}}
	}
	return &corev1.AffinityArgs{PodAntiAffinity: &corev1.PodAntiAffinityArgs{
		RequiredDuringSchedulingIgnoredDuringExecution: corev1.PodAffinityTermArray{sameShard(kube.LabelHost)},
		PreferredDuringSchedulingIgnoredDuringExecution: corev1.WeightedPodAffinityTermArray{
			&corev1.WeightedPodAffinityTermArgs{
				Weight:          pulumi.Int(100),
				PodAffinityTerm: sameShard(kube.LabelZone),
			},
			&corev1.WeightedPodAffinityTermArgs{
				Weight: pulumi.Int(50),
				PodAffinityTerm: &corev1.PodAffinityTermArgs{
					TopologyKey:   pulumi.String(kube.LabelHost),
					LabelSelector: kube.MatchLabels(r.selector()),
				},
			},
		},
	}}
}

// sameShard matches the pods that have the same number as the pod that is scheduled.
func sameShard(topologyKey string) *corev1.PodAffinityTermArgs {
	return &corev1.PodAffinityTermArgs{
		TopologyKey:    pulumi.String(topologyKey),
		LabelSelector:  kube.MatchLabels(kube.Selector(Name)),
		MatchLabelKeys: pulumi.ToStringArray([]string{labelPodIndex}),
	}
}
