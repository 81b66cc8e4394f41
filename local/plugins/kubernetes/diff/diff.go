package diff

import (
	"fmt"
	"sort"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"agentstack/local/plugins/kubernetes/object"
)

// Result is what changes between two updates of a resource.
type Result struct {
	Detailed            map[string]plugin.PropertyDiff // by property path
	Replaces            []string                       // paths that force a replacement, sorted
	DeleteBeforeReplace bool                           // the new object has the old one's fixed name
}

// Compare compares the program's inputs of the last update with the new ones. Both must be normalized;
// neither holds secrets any more.
func Compare(old, updated *unstructured.Unstructured, options Options) (Result, error) {
	before := resource.NewPropertyMapFromMap(old.Object)
	after := resource.NewPropertyMapFromMap(updated.Object)
	result := Result{Detailed: plugin.NewDetailedDiffFromObjectDiff(before.Diff(after), true)}

	immutablePaths, err := replacing(updated, options)
	if err != nil {
		return Result{}, err
	}
	for key, change := range result.Detailed {
		path, err := resource.ParsePropertyPath(key)
		if err != nil {
			return Result{}, fmt.Errorf("parse changed path %q: %w", key, err)
		}
		if touches(path, immutablePaths, before, after) {
			change.Kind = change.Kind.AsReplace()
			result.Detailed[key] = change
			result.Replaces = append(result.Replaces, key)
		}
	}
	sort.Strings(result.Replaces)
	result.DeleteBeforeReplace = len(result.Replaces) > 0 && sameFixedName(old, updated)
	return result, nil
}

// Replace replaces the object for the sake of path, whether that changed or not.
func (r *Result) Replace(old, updated *unstructured.Unstructured, path string) {
	r.Detailed[path] = plugin.PropertyDiff{Kind: plugin.DiffUpdateReplace, InputDiff: true}
	r.Replaces = append(r.Replaces, path)
	r.DeleteBeforeReplace = sameFixedName(old, updated)
}

// sameFixedName reports whether old and new object cannot exist at the same time.
func sameFixedName(old, updated *unstructured.Unstructured) bool {
	return object.Named(updated) && !object.Flagged(updated, object.AnnotationAutonamed) &&
		object.Name(updated) == object.Name(old) && object.Namespace(updated) == object.Namespace(old)
}

// touches reports whether a change at path alters one of the fields: it is inside one, or it adds or removes
// a part of the object that holds one.
func touches(
	path resource.PropertyPath,
	fields []resource.PropertyPath,
	before, after resource.PropertyMap,
) bool {
	for _, field := range fields {
		if field.Contains(path) {
			return true
		}
		if matchesPrefix(field, path) && (has(before, field) || has(after, field)) {
			return true
		}
	}
	return false
}

// matchesPrefix reports whether path names a part of the object that contains the field.
func matchesPrefix(field, path resource.PropertyPath) bool {
	return len(path) < len(field) && field[:len(path)].Contains(path)
}

// has reports whether the object has the field; of a wildcard only the list before it is looked at.
func has(properties resource.PropertyMap, field resource.PropertyPath) bool {
	for i, element := range field {
		if element == "*" {
			field = field[:i]
			break
		}
	}
	_, ok := field.Get(resource.NewObjectProperty(properties))
	return ok
}
