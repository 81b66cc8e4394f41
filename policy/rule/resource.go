package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/policyx"
)

// Resource is one resource as the program registered it.
type Resource struct {
	// Type is the type token, such as "kubernetes:apps/v1:Deployment".
	Type string
	// Name is the Pulumi name.
	Name string
	URN  string
	// Environment of the stack.
	Environment Environment
	// Provider is the URN of the provider: one for each Kubernetes cluster and AWS region.
	Provider string
	// Settings are the inputs of the provider.
	Settings Value

	inputs       property.Map
	dependencies map[string][]string
}

// NewResource wraps a resource of the SDK. Its properties are taken for the inputs.
func NewResource(resource policyx.AnalyzerResource, environment Environment) Resource {
	wrapped := Resource{
		Type:         resource.Type,
		Name:         resource.Name,
		URN:          resource.URN,
		Environment:  environment,
		Provider:     resource.Provider.URN,
		inputs:       resource.Properties,
		dependencies: resource.PropertyDependencies,
	}
	wrapped.Settings = Value{property: property.New(resource.Provider.Properties), resource: &wrapped}
	return wrapped
}

// WithDependencies returns the resource with the URNs that each of its inputs was computed from.
func (r Resource) WithDependencies(dependencies map[string][]string) Resource {
	r.dependencies = dependencies
	return r
}

// Kind is the type without what changes between versions: "apps/Deployment", "core/Pod" for Kubernetes,
// "aws:s3/Bucket" for AWS, where it also stands for BucketV2.
func (r Resource) Kind() string {
	parts := strings.Split(r.Type, ":")
	if len(parts) != 3 {
		return r.Type
	}
	group, _, _ := strings.Cut(parts[1], "/")
	switch parts[0] {
	case "kubernetes":
		return group + "/" + parts[2]
	case "aws":
		return "aws:" + group + "/" + strings.TrimSuffix(parts[2], "V2")
	default:
		return r.Type
	}
}

// IsA reports whether the resource is of one of the kinds.
func (r Resource) IsA(kinds ...string) bool { return slices.Contains(kinds, r.Kind()) }

// Inputs are all inputs of the resource.
func (r Resource) Inputs() Value { return Value{property: property.New(r.inputs), resource: &r} }

// At returns the input at a path of keys joined by dots.
func (r Resource) At(path string) Value { return r.Inputs().At(path) }

// Namespace of a Kubernetes object.
func (r Resource) Namespace() Value { return r.At("metadata.namespace").Or("default") }

// ObjectName is the name of a Kubernetes object.
func (r Resource) ObjectName() Value { return r.At("metadata.name") }

// Beside reports whether two Kubernetes objects may be in the same namespace of the same cluster.
func (r Resource) Beside(other Resource) bool {
	return r.Provider == other.Provider && r.Namespace().CanEqual(other.Namespace())
}

// RefersTo reports whether the input was computed from the other resource, or may be the same as its input.
func (r Resource) RefersTo(input string, other Resource, otherInput string) bool {
	if from := r.dependencies[input]; len(from) > 0 {
		return slices.Contains(from, other.URN)
	}
	return !r.At(input).Missing() && r.At(input).CanEqual(other.At(otherInput))
}

// String names the resource as its owners know it.
func (r Resource) String() string {
	kind := r.Type[strings.LastIndex(r.Type, ":")+1:]
	name := r.ObjectName().Text()
	if name == "" || !strings.HasPrefix(r.Type, "kubernetes:") {
		return kind + " " + r.Name
	}
	if namespace := r.At("metadata.namespace").Text(); namespace != "" {
		name = namespace + "/" + name
	}
	return fmt.Sprintf("%s %s (%s)", kind, name, r.Name)
}

// Compare orders resources by URN.
func (r Resource) Compare(other Resource) int { return strings.Compare(r.URN, other.URN) }
