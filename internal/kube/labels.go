package kube

import (
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Keys of the labels that every object of this program carries.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
const (
	LabelName      = "app.kubernetes.io/name"
	LabelComponent = "app.kubernetes.io/component"
	LabelPartOf    = "app.kubernetes.io/part-of"
	LabelManagedBy = "app.kubernetes.io/managed-by"

	LabelRegion = "topology.kubernetes.io/region"
	LabelZone   = "topology.kubernetes.io/zone"
	LabelHost   = "kubernetes.io/hostname"
)

// PartOf is the value of app.kubernetes.io/part-of on every object.
const PartOf = "ai-agent"

// Labels returns the labels of an object or pod template: name is the workload ("ai-agent-api"), component
// its role in the architecture ("api", "database", "cache"), region the region that it runs in.
func Labels(name, component, region string) map[string]string {
	return map[string]string{
		LabelName:      name,
		LabelComponent: component,
		LabelPartOf:    PartOf,
		LabelManagedBy: "pulumi",
		LabelRegion:    region,
	}
}

// Selector returns the labels by which Services, controllers and budgets find the pods of a workload.
// Selectors are immutable, so they hold the name alone.
func Selector(name string) map[string]string {
	return map[string]string{LabelName: name}
}

// Merge returns a new map with the entries of all maps; later maps win.
func Merge(labels ...map[string]string) map[string]string {
	merged := map[string]string{}
	for _, m := range labels {
		maps.Copy(merged, m)
	}
	return merged
}

// StringMap turns plain labels or annotations into a Pulumi input.
func StringMap(m map[string]string) pulumi.StringMap {
	return pulumi.ToStringMap(m)
}
