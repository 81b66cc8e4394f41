// Package network judges who may talk to whom.
package network

import (
	"net/netip"

	"agentstack/policy/rule"
	"agentstack/policy/workload"
)

// Rules of this concern.
var Rules = []rule.Rule{{
	Name: "network-policy",
	Description: "A NetworkPolicy of its own selects the pods of each workload and restricts both directions: a pod " +
		"that is taken over reaches only what it always needed. " +
		"https://kubernetes.io/docs/concepts/services-networking/network-policies/",
	Level: rule.Mandatory,
	Stack: policyOfWorkload,
}, {
	Name: "namespace-default-deny",
	Description: "Each namespace of the stack has a NetworkPolicy for all pods that refuses what no other allows. " +
		"https://kubernetes.io/docs/concepts/services-networking/network-policies/#default-policies",
	Level: rule.Mandatory,
	Stack: defaultDeny,
}, {
	Name: "namespace-pod-security",
	Description: "Each namespace enforces the restricted Pod Security Standard: the API server refuses what slips " +
		"past these policies. https://kubernetes.io/docs/concepts/security/pod-security-admission/",
	Level:    rule.Mandatory,
	Resource: podSecurity,
}, {
	Name: "network-no-metadata",
	Description: "No NetworkPolicy lets pods reach 169.254.169.254, which answers with the credentials of the node. " +
		"https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html",
	Level:    rule.Mandatory,
	Resource: noMetadata,
}}

const policyKind = "networking.k8s.io/NetworkPolicy"

// metadata is where clouds answer with the credentials of the machine.
var metadata = netip.MustParseAddr("169.254.169.254")

func policyOfWorkload(stack rule.Stack, report rule.Report) {
	for _, w := range workload.All(stack) {
		labels, known := w.PodLabels(0)
		if known && !w.Spec.At("hostNetwork").Is(true) {
			demandPolicy(stack, w.Resource, labels, report)
		}
	}
	// The operator makes the pods of these and labels them.
	// https://cloudnative-pg.io/documentation/current/labels_annotations/
	for _, resource := range stack.Resources {
		name := resource.ObjectName()
		switch {
		case name.Unknown():
		case resource.IsA("postgresql.cnpg.io/Cluster"):
			demandPolicy(stack, resource, map[string]string{
				"cnpg.io/cluster": name.Text(), "cnpg.io/podRole": "instance",
				"app.kubernetes.io/component": "database",
			}, report)
		case resource.IsA("postgresql.cnpg.io/Pooler"):
			demandPolicy(stack, resource, map[string]string{
				"cnpg.io/poolerName": name.Text(), "cnpg.io/podRole": "pooler",
				"cnpg.io/cluster": resource.At("spec.cluster.name").Text(), "app.kubernetes.io/component": "pooler",
			}, report)
		}
	}
}

func demandPolicy(stack rule.Stack, resource rule.Resource, labels map[string]string, report rule.Report) {
	for _, policy := range stack.Of(policyKind) {
		if policy.Beside(resource) && !forAllPods(policy) && restricts(policy) &&
			policy.At("spec.podSelector").CanSelect(labels) {
			return
		}
	}
	report(resource.At("metadata.name"),
		"no NetworkPolicy selects the pods %v and restricts Ingress and Egress: add one", labels)
}

// forAllPods reports whether the policy is known to select every pod of its namespace.
func forAllPods(policy rule.Resource) bool {
	selector := policy.At("spec.podSelector")
	return !selector.Partly() && selector.At("matchLabels").Empty() && selector.At("matchExpressions").Empty()
}

// restricts reports whether the policy is, or may be, for both directions.
func restricts(policy rule.Resource) bool {
	types := policy.At("spec.policyTypes")
	if types.Missing() {
		return !policy.At("spec.egress").Empty()
	}
	return types.CanHold("Ingress") && types.CanHold("Egress")
}

func defaultDeny(stack rule.Stack, report rule.Report) {
	for _, namespace := range stack.Of("core/Namespace") {
		if !denies(stack, namespace) {
			report(namespace.At("metadata.name"), "has no NetworkPolicy with an empty podSelector, both policyTypes "+
				"and no rule for everyone: add one")
		}
	}
}

func denies(stack rule.Stack, namespace rule.Resource) bool {
	for _, policy := range stack.Of(policyKind) {
		selectsAll := forAllPods(policy) || policy.At("spec.podSelector").Partly()
		if policy.Provider == namespace.Provider && policy.Namespace().CanEqual(namespace.ObjectName()) &&
			selectsAll && restricts(policy) && !openToAll(policy) {
			return true
		}
	}
	return false
}

// openToAll reports whether a rule of the policy names no peers, which stands for everyone.
func openToAll(policy rule.Resource) bool {
	for _, in := range policy.At("spec.ingress").Items() {
		if in.At("from").Empty() {
			return true
		}
	}
	for _, out := range policy.At("spec.egress").Items() {
		if out.At("to").Empty() {
			return true
		}
	}
	return false
}

func podSecurity(resource rule.Resource, report rule.Report) {
	if !resource.IsA("core/Namespace") {
		return
	}
	label := resource.At("metadata.labels").Key("pod-security.kubernetes.io/enforce")
	if !label.CanBe("restricted") {
		report(label, "must be restricted")
	}
}

func noMetadata(resource rule.Resource, report rule.Report) {
	if !resource.IsA(policyKind) {
		return
	}
	for _, out := range resource.At("spec.egress").Items() {
		if to := out.At("to"); to.Empty() {
			report(to, "is missing, which opens every address: name the peers, or 0.0.0.0/0 except %s/32", metadata)
		}
		for _, peer := range out.At("to").Items() {
			if block := peer.At("ipBlock"); contains(block.At("cidr")) && !excluded(block.At("except")) {
				report(block, "opens %s: put %s/32 into except", block.At("cidr").Text(), metadata)
			}
		}
	}
}

// contains reports whether the value is a range of addresses that is known to hold the metadata address.
func contains(cidr rule.Value) bool {
	prefix, err := netip.ParsePrefix(cidr.Text())
	return err == nil && prefix.Contains(metadata)
}

func excluded(except rule.Value) bool {
	if except.Unknown() {
		return true
	}
	for _, cidr := range except.Items() {
		if cidr.Unknown() || contains(cidr) {
			return true
		}
	}
	return false
}
