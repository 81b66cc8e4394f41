package pulumitest

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Placeholders for values that a recording does not show.
const (
	Secret  = "[secret]"
	Unknown = "[unknown]"
)

// Recording is everything that a program registered, sorted by type and name.
type Recording struct {
	Resources []Resource
	// RegisteredOutputs counts the calls of RegisterResourceOutputs: one for the stack and one for each
	// component.
	RegisteredOutputs int
}

// Resource is one registered resource. References to other resources have the form "type name".
type Resource struct {
	Type             string         `json:"type"`
	Name             string         `json:"name"`
	Parent           string         `json:"parent,omitempty"`
	Provider         string         `json:"provider,omitempty"`
	DependsOn        []string       `json:"dependsOn,omitempty"`
	IgnoreChanges    []string       `json:"ignoreChanges,omitempty"`
	ReplaceOnChanges []string       `json:"replaceOnChanges,omitempty"`
	Inputs           map[string]any `json:"inputs,omitempty"`
	Custom           bool           `json:"-"`
}

// Find returns the resource of that type and name, or fails the test.
func (r *Recording) Find(t testing.TB, resourceType, name string) Resource {
	t.Helper()
	for _, candidate := range r.Resources {
		if candidate.Type == resourceType && candidate.Name == name {
			return candidate
		}
	}
	t.Fatalf("no resource %s %s among:\n%s", resourceType, name, strings.Join(r.References(), "\n"))
	return Resource{}
}

// OfType returns the resources of a type, such as "kubernetes:apps/v1:Deployment".
func (r *Recording) OfType(resourceType string) []Resource {
	var found []Resource
	for _, candidate := range r.Resources {
		if candidate.Type == resourceType {
			found = append(found, candidate)
		}
	}
	return found
}

// Only returns a recording of the resources that keep accepts.
func (r *Recording) Only(keep func(Resource) bool) *Recording {
	kept := &Recording{RegisteredOutputs: r.RegisteredOutputs}
	for _, candidate := range r.Resources {
		if keep(candidate) {
			kept.Resources = append(kept.Resources, candidate)
		}
	}
	return kept
}

// References lists the resources in the form "type name".
func (r *Recording) References() []string {
	var references []string
	for _, recorded := range r.Resources {
		references = append(references, recorded.Type+" "+recorded.Name)
	}
	return references
}

// At returns the input at path, a sequence of keys and list indices, or nil when there is none.
func (r Resource) At(path ...any) any {
	var current any = r.Inputs
	for _, step := range path {
		switch node := current.(type) {
		case map[string]any:
			key, _ := step.(string)
			current = node[key]
		case []any:
			index, isIndex := step.(int)
			if !isIndex || index >= len(node) {
				return nil
			}
			current = node[index]
		default:
			return nil
		}
	}
	return current
}

func (r *Recording) sort() {
	slices.SortFunc(r.Resources, func(a, b Resource) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Parent, b.Parent))
	})
}

func newResource(args pulumi.MockResourceArgs, reveal bool) (Resource, error) {
	rpc := args.RegisterRPC
	inputs, err := unmarshalInputs(rpc, reveal)
	if err != nil {
		return Resource{}, err
	}
	recorded := Resource{
		Type:             args.TypeToken,
		Name:             args.Name,
		Parent:           reference(rpc.GetParent()),
		Provider:         reference(rpc.GetProvider()),
		IgnoreChanges:    rpc.GetIgnoreChanges(),
		ReplaceOnChanges: rpc.GetReplaceOnChanges(),
		Inputs:           plainObject(inputs),
		Custom:           args.Custom,
	}
	for _, dependency := range rpc.GetDependencies() {
		recorded.DependsOn = append(recorded.DependsOn, reference(dependency))
	}
	slices.Sort(recorded.DependsOn)
	return recorded, nil
}

// reference shortens a URN, or the reference of a provider, to "type name". The stack itself becomes "".
func reference(urn string) string {
	parts := strings.Split(urn, "::")
	if len(parts) < 4 {
		return ""
	}
	types := strings.Split(parts[2], "$")
	resourceType := types[len(types)-1]
	if resourceType == string(resource.RootStackType) {
		return ""
	}
	return resourceType + " " + parts[3]
}
