// Package object converts between Pulumi property maps and Kubernetes objects, and builds the state that
// the official provider stores, so that a stack can be continued with either.
package object

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// underscored maps the SDK's spelling of the CRD schema extensions to the API's. A Go struct tag or a
// Python name cannot carry the dashes.
var underscored = map[string]string{
	"x_kubernetes_embedded_resource":       "x-kubernetes-embedded-resource",
	"x_kubernetes_int_or_string":           "x-kubernetes-int-or-string",
	"x_kubernetes_list_map_keys":           "x-kubernetes-list-map-keys",
	"x_kubernetes_list_type":               "x-kubernetes-list-type",
	"x_kubernetes_map_type":                "x-kubernetes-map-type",
	"x_kubernetes_preserve_unknown_fields": "x-kubernetes-preserve-unknown-fields",
	"x_kubernetes_validations":             "x-kubernetes-validations",
}

var dashed = func() map[string]string {
	inverse := make(map[string]string, len(underscored))
	for k, v := range underscored {
		inverse[v] = k
	}
	return inverse
}()

// FromProperties strips secretness and returns the Kubernetes object that the properties describe. Unknown
// values stay in it as resource.Computed.
func FromProperties(properties resource.PropertyMap) *unstructured.Unstructured {
	replaceKey := func(k string) (string, bool) {
		v, ok := underscored[k]
		return v, ok
	}
	return &unstructured.Unstructured{Object: properties.MapRepl(replaceKey, stripSecret)}
}

// ToProperties is the inverse of FromProperties; secretness has to be put back with CarrySecrets.
func ToProperties(obj *unstructured.Unstructured) resource.PropertyMap {
	replaceKey := func(k string) (resource.PropertyKey, bool) {
		v, ok := dashed[k]
		return resource.PropertyKey(v), ok
	}
	return resource.NewPropertyMapFromMapRepl(obj.Object, replaceKey, nil)
}

func stripSecret(v resource.PropertyValue) (any, bool) {
	if !v.IsSecret() {
		return nil, false
	}
	replaceKey := func(k string) (string, bool) {
		v, ok := underscored[k]
		return v, ok
	}
	return v.SecretValue().Element.MapRepl(replaceKey, stripSecret), true
}

// HasUnknowns reports whether any value of the object is not known yet.
func HasUnknowns(obj *unstructured.Unstructured) bool { return hasUnknowns(obj.Object) }

func hasUnknowns(v any) bool {
	switch v := v.(type) {
	case resource.Computed, *resource.Computed, resource.Output, *resource.Output:
		return true
	case map[string]any:
		for _, e := range v {
			if hasUnknowns(e) {
				return true
			}
		}
	case []any:
		for _, e := range v {
			if hasUnknowns(e) {
				return true
			}
		}
	}
	return false
}

// ID is the resource ID that Pulumi stores: namespace/name, or the name of a cluster-scoped object.
func ID(obj *unstructured.Unstructured) string {
	if obj.GetNamespace() == "" {
		return obj.GetName()
	}
	return obj.GetNamespace() + "/" + obj.GetName()
}

// ParseID is the inverse of ID.
func ParseID(id string) (namespace, name string, err error) {
	namespace, name, namespaced := strings.Cut(id, "/")
	if !namespaced {
		namespace, name = "", id
	}
	if name == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf(
			"parse ID %q: want <namespace>/<name>, or <name> of a cluster-scoped object",
			id,
		)
	}
	return namespace, name, nil
}

// Describe names an object in messages: ai-agent/ai-agent-api (apps/v1 Deployment).
func Describe(obj *unstructured.Unstructured) string {
	id := ID(obj)
	if id == "" {
		id = "unnamed"
	}
	return fmt.Sprintf("%s (%s %s)", id, obj.GetAPIVersion(), obj.GetKind())
}

// KindOf returns the kind that a resource type token stands for: kubernetes:apps/v1:Deployment.
func KindOf(urn resource.URN) (schema.GroupVersionKind, error) {
	group, version, ok := strings.Cut(string(urn.Type().Module().Name()), "/")
	if urn.Type().Package() != "kubernetes" || !ok {
		return schema.GroupVersionKind{}, fmt.Errorf(
			"resource type %q is no Kubernetes kind: want kubernetes:<group>/<version>:<Kind>", urn.Type())
	}
	if group == "core" {
		group = ""
	}
	return schema.GroupVersionKind{Group: group, Version: version, Kind: string(urn.Type().Name())}, nil
}

// IsBuiltin reports whether Kubernetes itself serves the kind, as opposed to a custom resource definition.
func IsBuiltin(gvk schema.GroupVersionKind) bool {
	return scheme.Scheme.Recognizes(gvk) || IsCRD(gvk)
}

// IsCRD reports whether the kind is CustomResourceDefinition.
func IsCRD(gvk schema.GroupVersionKind) bool {
	return gvk.Group == "apiextensions.k8s.io" && gvk.Kind == "CustomResourceDefinition"
}

// IsSecret reports whether the object is a core Secret.
func IsSecret(obj *unstructured.Unstructured) bool {
	return obj.GetKind() == "Secret" && obj.GroupVersionKind().Group == ""
}

// IsConfigMap reports whether the object is a core ConfigMap.
func IsConfigMap(obj *unstructured.Unstructured) bool {
	return obj.GetKind() == "ConfigMap" && obj.GroupVersionKind().Group == ""
}
