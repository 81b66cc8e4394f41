// Package availability judges whether workloads stay up when a node is drained or lost.
package availability

import (
	"agentstack/policy/rule"
	"agentstack/policy/workload"
)

// Rules of this concern.
var Rules = []rule.Rule{{
	Name: "disruption-budget",
	Description: "Each pod of a workload with two or more replicas is selected by exactly one PodDisruptionBudget: " +
		"with none, a drain may take all of them at once; with two, none can be evicted. " +
		"https://kubernetes.io/docs/tasks/run-application/configure-pdb/",
	Level: rule.Mandatory,
	Stack: disruptionBudget,
}, {
	Name: "disruption-budget-allows-eviction",
	Description: "A PodDisruptionBudget lets at least one pod go: one that forbids every eviction blocks the drain " +
		"of its nodes for ever. https://kubernetes.io/docs/tasks/run-application/configure-pdb/",
	Level: rule.Mandatory,
	Stack: allowsEviction,
}, {
	Name: "spread",
	Description: "Workloads with two or more replicas spread them, by anti-affinity or topology spread: on one node " +
		"they fail together. https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/",
	Level: rule.Mandatory,
	Stack: spread,
}}

// replicated is a workload of which at least two pods run.
type replicated struct {
	workload.Workload
	// replicas is the least number of pods, 0 when it is unknown.
	replicas int
}

// replicatedOf returns the workloads that have two or more replicas, or whose number is left to an autoscaler.
func replicatedOf(stack rule.Stack) []replicated {
	var found []replicated
	for _, w := range workload.All(stack) {
		if !w.Replicated() {
			continue
		}
		replicas := least(w.At("spec.replicas"))
		if scaler, scaled := autoscaler(stack, w); scaled {
			replicas = least(scaler)
			if replicas == 1 {
				// It may scale up at any time, and its pods need a budget then.
				found = append(found, replicated{Workload: w, replicas: 2})
			}
		}
		if replicas >= 2 {
			found = append(found, replicated{Workload: w, replicas: replicas})
		}
	}
	return found
}

// least is the number of pods that a field asks for: one without it, 0 when it is unknown.
func least(replicas rule.Value) int {
	number, known := replicas.Number()
	switch {
	case known:
		return int(number)
	case replicas.Missing():
		return 1
	default:
		return 0
	}
}

// autoscaler returns the field with the least number of replicas of what scales the workload.
func autoscaler(stack rule.Stack, w workload.Workload) (rule.Value, bool) {
	targets := func(scaler rule.Resource) bool {
		target := scaler.At("spec.scaleTargetRef")
		kind, name := target.At("kind").Or("Deployment"), target.At("name")
		return scaler.Beside(w.Resource) && "apps/"+kind.Text() == w.Kind() && name.Is(w.ObjectName().Text())
	}
	for _, scaler := range stack.Of("autoscaling/HorizontalPodAutoscaler") {
		if targets(scaler) {
			return scaler.At("spec.minReplicas"), true
		}
	}
	for _, scaler := range stack.Of("keda.sh/ScaledObject") {
		if targets(scaler) {
			return scaler.At("spec.minReplicaCount"), true
		}
	}
	return rule.Value{}, false
}

func spread(stack rule.Stack, report rule.Report) {
	for _, w := range replicatedOf(stack) {
		constraints := w.Spec.At("topologySpreadConstraints")
		if constraints.Empty() && w.Spec.At("affinity.podAntiAffinity").Empty() {
			report(constraints, "is missing, and so is affinity.podAntiAffinity: spread the pods over nodes or zones")
		}
	}
}
