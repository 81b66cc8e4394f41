package availability

import (
	"k8s.io/apimachinery/pkg/util/intstr"

	"agentstack/policy/rule"
	"agentstack/policy/workload"
)

const budgetKind = "policy/PodDisruptionBudget"

func disruptionBudget(stack rule.Stack, report rule.Report) {
	for _, w := range replicatedOf(stack) {
		for index := range w.replicas {
			labels, known := w.PodLabels(index)
			if !known {
				continue
			}
			certain, possible := budgetsOf(stack, w.Workload, labels)
			if possible == 0 {
				report(w.Labels, "pod %d of %d is selected by no PodDisruptionBudget: add one", index+1, w.replicas)
				break
			}
			if certain > 1 {
				report(w.Labels, "pod %d of %d is selected by %d PodDisruptionBudgets, which forbids its eviction: "+
					"keep one", index+1, w.replicas, certain)
				break
			}
		}
	}
}

// budgetsOf counts the budgets that select the pod for certain, and those that may.
func budgetsOf(stack rule.Stack, w workload.Workload, labels map[string]string) (certain, possible int) {
	for _, budget := range stack.Of(budgetKind) {
		if selector := budget.At("spec.selector"); budget.Beside(w.Resource) && selector.CanSelect(labels) {
			possible++
			if !selector.Partly() && !budget.Namespace().Unknown() && !w.Namespace().Unknown() {
				certain++
			}
		}
	}
	return certain, possible
}

func allowsEviction(stack rule.Stack, report rule.Report) {
	for _, budget := range stack.Of(budgetKind) {
		if at := budget.At("spec.maxUnavailable"); at.Is(0.0, "0%") {
			report(at, "forbids every eviction: give at least 1")
		}
		at := budget.At("spec.minAvailable")
		pods, known := podsOf(stack, budget)
		if at.Is("100%") {
			report(at, "forbids every eviction: give a number below that of the replicas, or maxUnavailable 1")
		} else if needed, asked := scaled(at, pods); known && pods > 0 && asked && needed >= pods {
			report(at, "asks for %d pods of %d and so forbids every eviction: "+
				"give a number below that of the replicas, or maxUnavailable 1", needed, pods)
		}
	}
}

// podsOf counts the pods that a budget selects, false when that is not known.
func podsOf(stack rule.Stack, budget rule.Resource) (count int, known bool) {
	selector := budget.At("spec.selector")
	if selector.Partly() || budget.Namespace().Unknown() {
		return 0, false
	}
	for _, w := range workload.All(stack) {
		if !w.Replicated() || !budget.Beside(w.Resource) {
			continue
		}
		replicas := least(w.At("spec.replicas"))
		if scaler, isScaled := autoscaler(stack, w); isScaled {
			replicas = least(scaler)
		}
		for index := range max(replicas, 1) {
			labels, labelsKnown := w.PodLabels(index)
			if !labelsKnown || replicas == 0 || w.Namespace().Unknown() {
				return 0, false
			}
			if selector.CanSelect(labels) {
				count++
			}
		}
	}
	return count, true
}

// scaled turns a number or percentage of a budget into a number of pods, rounded up as Kubernetes does.
func scaled(at rule.Value, pods int) (int, bool) {
	if at.Missing() || at.Unknown() {
		return 0, false
	}
	var value intstr.IntOrString
	if at.Decode(&value) != nil {
		return 0, false
	}
	number, err := intstr.GetScaledValueFromIntOrPercent(&value, pods, true)
	return number, err == nil
}
