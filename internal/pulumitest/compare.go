package pulumitest

import (
	"reflect"
	"slices"
)

// Changed lists, in the form "type name", the resources that differ between two recordings, or are in one
// only.
func Changed(before, after *Recording) []string {
	var changed []string
	for _, pair := range [][2]*Recording{{before, after}, {after, before}} {
		for _, resource := range pair[0].Resources {
			same := func(other Resource) bool { return reflect.DeepEqual(resource, other) }
			reference := resource.Type + " " + resource.Name
			if !slices.ContainsFunc(pair[1].Resources, same) && !slices.Contains(changed, reference) {
				changed = append(changed, reference)
			}
		}
	}
	slices.Sort(changed)
	return changed
}
