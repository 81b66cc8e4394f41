package cluster

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var definition = schema.GroupVersionKind{
	Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition",
}

// DeclaresConditions reports whether the definition of a custom kind has status.conditions. It is false
// where the definition cannot be read, which only shortens a wait.
func (c *Client) DeclaresConditions(ctx context.Context, gvk schema.GroupVersionKind) bool {
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return false
	}
	crd := &unstructured.Unstructured{}
	crd.SetGroupVersionKind(definition)
	crd.SetName(mapping.Resource.Resource + "." + mapping.Resource.Group)
	if crd, err = c.Get(ctx, crd); err != nil {
		return false
	}
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, version := range versions {
		fields, _ := version.(map[string]any)
		if fields["name"] != gvk.Version {
			continue
		}
		_, found, _ := unstructured.NestedMap(fields, "schema", "openAPIV3Schema", "properties", "status",
			"properties", "conditions")
		return found
	}
	return false
}
