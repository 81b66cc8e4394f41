package pods

import (
	"agentstack/policy/rule"
	"agentstack/policy/workload"
)

func token(stack rule.Stack, report rule.Report) {
	bindings := stack.Of("rbac.authorization.k8s.io/RoleBinding", "rbac.authorization.k8s.io/ClusterRoleBinding")
	for _, w := range workload.All(stack) {
		account := w.Spec.At("serviceAccountName").Or("default")
		if w.Spec.Unknown() || !mountsToken(stack, w, account) || bound(bindings, w, account) {
			continue
		}
		report(w.Spec.At("automountServiceAccountToken"),
			"must be false: no RoleBinding or ClusterRoleBinding of this stack names ServiceAccount %s; "+
				"bind a Role if the pod needs the API", account.Text())
	}
}

// mountsToken reports whether the pod is known to get a token: its own setting decides, then that of its
// ServiceAccount, and by default it does.
func mountsToken(stack rule.Stack, w workload.Workload, account rule.Value) bool {
	if own := w.Spec.At("automountServiceAccountToken"); !own.Missing() {
		return own.Is(true)
	}
	for _, candidate := range stack.Of("core/ServiceAccount") {
		if candidate.Beside(w.Resource) && candidate.ObjectName().CanEqual(account) {
			return !candidate.At("automountServiceAccountToken").CanBe(false)
		}
	}
	return true
}

func bound(bindings []rule.Resource, w workload.Workload, account rule.Value) bool {
	for _, binding := range bindings {
		if binding.Provider != w.Provider {
			continue
		}
		subjects := binding.At("subjects")
		if subjects.Unknown() {
			return true
		}
		for _, subject := range subjects.Items() {
			namespace := subject.At("namespace")
			if namespace.Missing() {
				namespace = binding.Namespace()
			}
			if subject.At("kind").CanBe("ServiceAccount") && subject.At("name").CanEqual(account) &&
				namespace.CanEqual(w.Namespace()) {
				return true
			}
		}
	}
	return false
}
