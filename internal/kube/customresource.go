package kube

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// WaitFor returns the annotation that makes the Kubernetes provider wait until an object of a kind that it does not
// know is ready: until it has a condition, as in condition=Ready, or a field, as in jsonpath={.status.phase}.
func WaitFor(expression string) map[string]string {
	return map[string]string{"pulumi.com/waitFor": expression}
}

// WaitForReady makes the provider wait for the condition Ready of a custom resource.
var WaitForReady = WaitFor("condition=Ready")

// CustomResource describes an object of a kind that a CustomResourceDefinition adds to the cluster. Spec is
// a struct whose JSON tags name the kind's fields, with omitempty on those that may be left to the server.
type CustomResource[Spec any] struct {
	APIVersion string
	Kind       string
	Metadata   Metadata
	Spec       Spec
	// References are the strings of Spec that another resource produces: a string of Spec that is one of the keys
	// stands for the value. Default: none.
	References map[string]pulumi.StringInput
}

// Object is a registered custom resource.
type Object struct {
	pulumi.CustomResourceState

	// Status is what the object's controller says of it, decoded JSON. Unknown in the preview of a new object.
	Status pulumi.AnyOutput `pulumi:"status"`
}

// NewCustomResource registers r. It is the only place where a typed object becomes an untyped one.
func NewCustomResource[Spec any](ctx *pulumi.Context, name string, r CustomResource[Spec],
	opts ...pulumi.ResourceOption,
) (*Object, error) {
	encoded, err := json.Marshal(r.Spec)
	if err != nil {
		return nil, fmt.Errorf("encode spec of %s %s: %w", r.Kind, r.Metadata.Name, err)
	}
	spec := map[string]any{}
	if err := json.Unmarshal(encoded, &spec); err != nil {
		return nil, fmt.Errorf("decode spec of %s %s: %w", r.Kind, r.Metadata.Name, err)
	}
	object := &Object{}
	if err := ctx.RegisterResource("kubernetes:"+r.APIVersion+":"+r.Kind, name, kubernetes.UntypedArgs{
		"apiVersion": pulumi.String(r.APIVersion),
		"kind":       pulumi.String(r.Kind),
		"metadata":   r.Metadata.Args(),
		"spec":       resolve(spec, r.References),
	}, object, opts...); err != nil {
		return nil, fmt.Errorf("register %s %s: %w", r.Kind, r.Metadata.Name, err)
	}
	return object, nil
}

// resolve returns a decoded JSON value with the references in place of the strings that stand for them.
func resolve(value any, references map[string]pulumi.StringInput) any {
	switch node := value.(type) {
	case map[string]any:
		for key, child := range node {
			node[key] = resolve(child, references)
		}
	case []any:
		for i, child := range node {
			node[i] = resolve(child, references)
		}
	case string:
		if reference, found := references[node]; found {
			return reference
		}
	}
	return value
}
