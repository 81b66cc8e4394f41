// Package regions judges whether the loss of a region can be survived.
package regions

import (
	"maps"
	"slices"
	"strings"

	"agentstack/policy/rule"
)

// Rules of this concern.
var Rules = []rule.Rule{{
	Name:        "production-two-regions",
	Description: "Production runs in two regions or more: one of them can be lost.",
	Level:       rule.Mandatory,
	Stack:       twoRegions,
}, {
	Name:        "regions-alike",
	Description: "All regions run the same workloads: one that lacks something cannot take over.",
	Level:       rule.Mandatory,
	Stack:       alike,
}}

// label tells the region of an object.
// https://kubernetes.io/docs/reference/labels-annotations-taints/#topologykubernetesioregion
const label = "topology.kubernetes.io/region"

// permanent are the kinds of what runs in a region all the time. Jobs and CronJobs may be those of the primary alone.
var permanent = []string{"apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "postgresql.cnpg.io/Cluster",
	"postgresql.cnpg.io/Pooler"}

// byRegion returns the permanent workloads of each region with one resource for each, false when some region is
// not known yet.
func byRegion(stack rule.Stack) (regions map[string]map[string]rule.Resource, known bool) {
	regions, known = map[string]map[string]rule.Resource{}, true
	for _, resource := range stack.Of(permanent...) {
		region := resource.At("metadata.labels").Key(label)
		if region.Unknown() || resource.ObjectName().Unknown() || resource.Namespace().Unknown() {
			known = false
		}
		if region.Text() == "" {
			continue
		}
		if regions[region.Text()] == nil {
			regions[region.Text()] = map[string]rule.Resource{}
		}
		kind := resource.Kind()[strings.LastIndex(resource.Kind(), "/")+1:]
		id := kind + " " + resource.Namespace().Text() + "/" + resource.ObjectName().Text()
		regions[region.Text()][id] = resource
	}
	return regions, known
}

func twoRegions(stack rule.Stack, report rule.Report) {
	regions, known := byRegion(stack)
	if !stack.Environment.Production() || !known || len(regions) != 1 {
		return
	}
	for region, workloads := range regions {
		for _, id := range slices.Sorted(maps.Keys(workloads)) {
			report(workloads[id].At("metadata.labels").Key(label),
				"%s is the only region of this stack: add another to regions in its configuration", region)
			return
		}
	}
}

func alike(stack rule.Stack, report rule.Report) {
	regions, known := byRegion(stack)
	if !known {
		return
	}
	for _, region := range slices.Sorted(maps.Keys(regions)) {
		for _, other := range slices.Sorted(maps.Keys(regions)) {
			for _, id := range slices.Sorted(maps.Keys(regions[region])) {
				if _, found := regions[other][id]; !found {
					report(regions[region][id].ObjectName(), "%s runs in region %s and not in %s: deploy it to both",
						id, region, other)
				}
			}
		}
	}
}
