package kube

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// SpreadAcrossZones keeps the pods of a Deployment with the selector's labels evenly over the zones, each
// revision for itself, so that a rollout ends as even as it began. It prefers, and does not demand: with a
// zone lost, the pods run in the zones that are left.
func SpreadAcrossZones(selector map[string]string) corev1.TopologySpreadConstraintArray {
	return corev1.TopologySpreadConstraintArray{&corev1.TopologySpreadConstraintArgs{
		MaxSkew:           pulumi.Int(1),
		TopologyKey:       pulumi.String(LabelZone),
		WhenUnsatisfiable: pulumi.String("ScheduleAnyway"),
		LabelSelector:     MatchLabels(selector),
		MatchLabelKeys:    pulumi.ToStringArray([]string{"pod-template-hash"}),
	}}
}

// SpreadAcrossHosts makes pods with the selector's labels prefer a node that has none of them yet.
func SpreadAcrossHosts(selector map[string]string) *corev1.AffinityArgs {
	return &corev1.AffinityArgs{PodAntiAffinity: &corev1.PodAntiAffinityArgs{
		PreferredDuringSchedulingIgnoredDuringExecution: corev1.WeightedPodAffinityTermArray{
			&corev1.WeightedPodAffinityTermArgs{
				Weight: pulumi.Int(100),
				PodAffinityTerm: &corev1.PodAffinityTermArgs{
					TopologyKey:   pulumi.String(LabelHost),
					LabelSelector: MatchLabels(selector),
				},
			},
		},
	}}
}

// MatchLabels returns a selector for objects that carry all the labels.
func MatchLabels(selector map[string]string) *metav1.LabelSelectorArgs {
	return &metav1.LabelSelectorArgs{MatchLabels: StringMap(selector)}
}

// OneAtATime lets drains evict one pod with the selector's labels at a time, however many there are, and pods that are
// not ready always: they serve nobody.
func OneAtATime(meta Metadata, selector map[string]string) *policyv1.PodDisruptionBudgetArgs {
	return &policyv1.PodDisruptionBudgetArgs{
		Metadata: meta.Args(),
		Spec: &policyv1.PodDisruptionBudgetSpecArgs{
			MaxUnavailable:             pulumi.Int(1),
			UnhealthyPodEvictionPolicy: pulumi.String("AlwaysAllow"),
			Selector:                   MatchLabels(selector),
		},
	}
}
