// Package rbac judges what ServiceAccounts may do with the API of Kubernetes.
package rbac

import (
	"strings"

	"agentstack/policy/rule"
)

const goodPractices = " https://kubernetes.io/docs/concepts/security/rbac-good-practices/"

// Rules of this concern.
var Rules = []rule.Rule{{
	Name: "rbac-no-wildcards",
	Description: "Roles list verbs, resources and API groups: a wildcard also stands for those of tomorrow." +
		goodPractices,
	Level:    rule.Mandatory,
	Resource: roles(noWildcards),
}, {
	Name:        "rbac-no-cluster-admin",
	Description: "Nothing is bound to cluster-admin or to the group system:masters." + goodPractices,
	Level:       rule.Mandatory,
	Resource:    noClusterAdmin,
}, {
	Name: "rbac-no-secrets",
	Description: "ClusterRoles do not read Secrets: list and watch show the contents of all of them, of every " +
		"namespace." + goodPractices,
	Level:    rule.Mandatory,
	Resource: roles(noSecrets),
}, {
	Name:        "rbac-no-escalation",
	Description: "No role may escalate, bind or impersonate: each is a way to every other right." + goodPractices,
	Level:       rule.Mandatory,
	Resource:    roles(noEscalation),
}}

func roles(check func(role rule.Resource, rights rule.Value, report rule.Report)) func(rule.Resource, rule.Report) {
	return func(resource rule.Resource, report rule.Report) {
		if !resource.IsA("rbac.authorization.k8s.io/Role", "rbac.authorization.k8s.io/ClusterRole") {
			return
		}
		for _, rights := range resource.At("rules").Items() {
			check(resource, rights, report)
		}
	}
}

func noWildcards(_ rule.Resource, rights rule.Value, report rule.Report) {
	for _, field := range []string{"verbs", "resources", "apiGroups", "nonResourceURLs"} {
		for _, at := range rights.At(field).Items() {
			if strings.Contains(at.Text(), "*") {
				report(at, "is a wildcard: list what the workload uses")
			}
		}
	}
}

func noClusterAdmin(resource rule.Resource, report rule.Report) {
	if !resource.IsA("rbac.authorization.k8s.io/RoleBinding", "rbac.authorization.k8s.io/ClusterRoleBinding") {
		return
	}
	if at := resource.At("roleRef.name"); at.Is("cluster-admin", "admin", "edit") {
		report(at, "gives nearly every right: bind a role that lists what the workload uses")
	}
	for _, subject := range resource.At("subjects").Items() {
		if at := subject.At("name"); at.Is("system:masters", "system:unauthenticated", "system:anonymous") {
			report(at, "must not be bound: name a ServiceAccount")
		}
	}
}

func noSecrets(role rule.Resource, rights rule.Value, report rule.Report) {
	if !role.IsA("rbac.authorization.k8s.io/ClusterRole") {
		return
	}
	for _, at := range rights.At("resources").Items() {
		if at.Is("secrets", "*") && reads(rights.At("verbs")) {
			report(at, "lets the account read the Secrets of every namespace: use a Role, and resourceNames")
		}
	}
}

func reads(verbs rule.Value) bool {
	for _, verb := range verbs.Items() {
		if verb.Is("get", "list", "watch", "*") {
			return true
		}
	}
	return false
}

func noEscalation(_ rule.Resource, rights rule.Value, report rule.Report) {
	for _, at := range rights.At("verbs").Items() {
		if at.Is("escalate", "bind", "impersonate") {
			report(at, "is a way to every other right: remove %q", at.Text())
		}
	}
}
