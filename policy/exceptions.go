package main

import (
	"slices"

	"agentstack/policy/rule"
)

// exception lets one object break some rules. The table below is the only way around a rule that is mandatory.
type exception struct {
	// namespace of the object, empty for one without. name of the object in Kubernetes.
	namespace, name string
	rules           []string
	reason          string
}

var exceptions = []exception{{
	name:   "monitoring-node",
	rules:  []string{"namespace-pod-security"},
	reason: "the namespace of the two agents below, which need folders of the node; all other policies hold there too",
}, {
	namespace: "monitoring-node",
	name:      "node-exporter",
	rules:     []string{"pod-no-host-path"},
	reason:    "reads /proc, /sys and file systems of the node to measure it; mounts them read-only",
}, {
	namespace: "monitoring-node",
	name:      "opentelemetry-collector",
	rules:     []string{"pod-no-host-path", "pod-non-root"},
	reason:    "reads the logs of all pods, which belong to root; drops all capabilities",
}}

func excepted(ruleName string, resource rule.Resource) bool {
	return slices.ContainsFunc(exceptions, func(e exception) bool {
		return slices.Contains(e.rules, ruleName) && e.name == resource.ObjectName().Text() &&
			e.namespace == resource.At("metadata.namespace").Text()
	})
}
