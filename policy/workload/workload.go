// Package workload finds the pod templates of the kinds that run pods, and walks through them.
package workload

import (
	"maps"
	"strconv"

	"agentstack/policy/rule"
)

// Paths of the pod template by kind. A Pod is its own template.
var templates = map[string]string{
	"apps/Deployment":  "spec.template",
	"apps/StatefulSet": "spec.template",
	"apps/DaemonSet":   "spec.template",
	"apps/ReplicaSet":  "spec.template",
	"batch/Job":        "spec.template",
	"batch/CronJob":    "spec.jobTemplate.spec.template",
	"core/Pod":         "",
}

// Workload is a resource that runs pods.
type Workload struct {
	rule.Resource
	// Labels and Spec of its pods.
	Labels, Spec rule.Value
}

// Of returns the resource as a workload, false when it runs no pods.
func Of(resource rule.Resource) (Workload, bool) {
	path, found := templates[resource.Kind()]
	if !found {
		return Workload{}, false
	}
	if path != "" {
		path += "."
	}
	return Workload{
		Resource: resource,
		Labels:   resource.At(path + "metadata.labels"),
		Spec:     resource.At(path + "spec"),
	}, true
}

// All returns the workloads of a stack.
func All(stack rule.Stack) []Workload {
	var all []Workload
	for _, resource := range stack.Resources {
		if workload, found := Of(resource); found {
			all = append(all, workload)
		}
	}
	return all
}

// Judge makes the check of a rule out of one for workloads.
func Judge(check func(Workload, rule.Report)) func(rule.Resource, rule.Report) {
	return func(resource rule.Resource, report rule.Report) {
		if workload, found := Of(resource); found {
			check(workload, report)
		}
	}
}

// Judges makes the check of a rule out of one for containers, init containers included.
func Judges(check func(Workload, Container, rule.Report)) func(rule.Resource, rule.Report) {
	return Judge(func(workload Workload, report rule.Report) {
		for _, container := range workload.Containers() {
			check(workload, container, report)
		}
	})
}

// Replicated reports whether the workload is one of several equal pods that run on.
func (w Workload) Replicated() bool { return w.IsA("apps/Deployment", "apps/StatefulSet") }

// Serves reports whether the workload's containers run until they are stopped.
func (w Workload) Serves() bool { return !w.IsA("batch/Job", "batch/CronJob", "core/Pod") }

// Container is a container of a pod template.
type Container struct {
	rule.Value
	// Ends tells that the pod starts only after the container has ended.
	Ends bool
}

// Containers returns those of the pod, init containers first.
func (w Workload) Containers() []Container {
	var containers []Container
	for _, container := range w.Spec.At("initContainers").Items() {
		restarts := container.At("restartPolicy").CanBe("Always")
		containers = append(containers, Container{Value: container, Ends: !restarts})
	}
	for _, container := range w.Spec.At("containers").Items() {
		containers = append(containers, Container{Value: container})
	}
	return containers
}

// Security returns a field of the container's security context, or of the pod's where the container's is not set.
func (w Workload) Security(container Container, field string) rule.Value {
	own := container.At("securityContext." + field)
	if pod := w.Spec.At("securityContext." + field); own.Missing() && !pod.Missing() {
		return pod
	}
	return own
}

// PodLabels returns the labels of the pod with that index, false when they are not known.
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-index-label
func (w Workload) PodLabels(index int) (map[string]string, bool) {
	podLabels := map[string]string{}
	if w.Labels.Partly() || w.Labels.Decode(&podLabels) != nil {
		return nil, false
	}
	if !w.IsA("apps/StatefulSet") {
		return podLabels, true
	}
	name := w.ObjectName()
	if name.Unknown() {
		return nil, false
	}
	ordinal := strconv.Itoa(index)
	podLabels = maps.Clone(podLabels)
	if podLabels == nil {
		podLabels = map[string]string{}
	}
	podLabels["apps.kubernetes.io/pod-index"] = ordinal
	podLabels["statefulset.kubernetes.io/pod-name"] = name.Text() + "-" + ordinal
	return podLabels, true
}
