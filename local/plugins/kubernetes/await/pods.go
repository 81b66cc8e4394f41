package await

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

const revisionAnnotation = "deployment.kubernetes.io/revision"

var replicaSet = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}

// pods returns the unready pods that run for the object, and the UID of what owns them.
func (d diagnosis) pods(ctx context.Context, live *unstructured.Unstructured) (types.UID, []corev1.Pod) {
	owner := live.GetUID()
	selector := podSelector(live)
	if live.GetKind() == "Deployment" {
		owner = d.currentReplicaSet(ctx, live, selector)
	}
	if live.GetNamespace() == "" {
		return owner, nil
	}
	list, err := d.client.Core().Pods(live.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return owner, nil
	}
	var found []corev1.Pod
	for _, pod := range list.Items {
		controller := metav1.GetControllerOf(&pod)
		owned := pod.UID == owner || controller != nil && controller.UID == owner
		selected := live.GetKind() == "Service" && selector != ""
		if (owned || selected) && !podReady(&pod) && len(found) < maxPods {
			found = append(found, pod)
		}
	}
	return owner, found
}

// currentReplicaSet is the owner of the pods of a Deployment's newest revision; older pods are on their way
// out.
func (d diagnosis) currentReplicaSet(
	ctx context.Context, deployment *unstructured.Unstructured, selector string,
) types.UID {
	sets, err := d.client.List(ctx, replicaSet, deployment.GetNamespace(), selector)
	if err != nil {
		return deployment.GetUID()
	}
	for i := range sets {
		controller := metav1.GetControllerOf(&sets[i])
		if controller != nil && controller.UID == deployment.GetUID() &&
			sets[i].GetAnnotations()[revisionAnnotation] == deployment.GetAnnotations()[revisionAnnotation] {
			return sets[i].GetUID()
		}
	}
	return deployment.GetUID()
}

// podSelector is the label selector of a workload or a Service, empty for other kinds.
func podSelector(live *unstructured.Unstructured) string {
	raw, _, _ := unstructured.NestedMap(live.Object, "spec", "selector")
	if live.GetKind() == "Service" {
		set, _, _ := unstructured.NestedStringMap(live.Object, "spec", "selector")
		return labels.Set(set).String()
	}
	var selector metav1.LabelSelector
	if runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &selector) != nil || len(raw) == 0 {
		return ""
	}
	return metav1.FormatLabelSelector(&selector)
}

func podReady(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || slices.ContainsFunc(pod.Status.Conditions,
		func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue })
}

// newest returns the latest few events, newest first.
func newest(events []corev1.Event) []corev1.Event {
	when := func(e corev1.Event) time.Time {
		return slices.MaxFunc([]time.Time{e.LastTimestamp.Time, e.EventTime.Time, e.CreationTimestamp.Time},
			time.Time.Compare)
	}
	slices.SortFunc(events, func(a, b corev1.Event) int { return when(b).Compare(when(a)) })
	return events[:min(len(events), maxEvents)]
}

func unique(texts []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(texts, func(text string) bool {
		duplicate := seen[text]
		seen[text] = true
		return duplicate
	})
}
