package provider

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// keepIgnored makes ignoreChanges hold against what other managers did since: a field that only others own
// is left out of the apply, one of ours is applied with its live value. Paths into lists are left as the
// engine sent them.
func keepIgnored(obj, live *unstructured.Unstructured, manager string, ignored []string) error {
	if len(ignored) == 0 {
		return nil
	}
	ours, theirs, err := owners(live, manager)
	if err != nil {
		return err
	}
	for _, text := range ignored {
		path, err := resource.ParsePropertyPath(text)
		if err != nil {
			return fmt.Errorf("parse ignored path %q: %w", text, err)
		}
		fields, ok := fieldNames(path)
		if !ok {
			continue
		}
		owned := fieldpath.MakePathOrDie(anySlice(fields)...)
		if covers(theirs, owned) && !covers(ours, owned) {
			unstructured.RemoveNestedField(obj.Object, fields...)
			continue
		}
		value, found, err := unstructured.NestedFieldCopy(live.Object, fields...)
		if err != nil || !found {
			continue
		}
		if err := unstructured.SetNestedField(obj.Object, value, fields...); err != nil {
			return fmt.Errorf("keep ignored field %s: %w", text, err)
		}
	}
	return nil
}

// owners returns the fields that the manager owns, and those of all others.
func owners(live *unstructured.Unstructured, manager string) (ours, theirs *fieldpath.Set, err error) {
	ours, theirs = &fieldpath.Set{}, &fieldpath.Set{}
	for _, entry := range live.GetManagedFields() {
		if entry.FieldsV1 == nil {
			continue
		}
		var fields fieldpath.Set
		if err := fields.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
			return nil, nil, fmt.Errorf("decode fields of manager %s: %w", entry.Manager, err)
		}
		if entry.Manager == manager {
			ours = ours.Union(&fields)
		} else {
			theirs = theirs.Union(&fields)
		}
	}
	return ours, theirs, nil
}

// covers reports whether the set holds the path or anything below it.
func covers(set *fieldpath.Set, path fieldpath.Path) bool {
	if set.Has(path) {
		return true
	}
	below := set
	for _, element := range path {
		below = below.WithPrefix(element)
	}
	return !below.Empty()
}

// fieldNames returns a path as names, false when it goes through a list.
func fieldNames(path resource.PropertyPath) ([]string, bool) {
	names := make([]string, len(path))
	for i, element := range path {
		name, ok := element.(string)
		if !ok || name == "*" {
			return nil, false
		}
		names[i] = name
	}
	return names, true
}

func anySlice(names []string) []any {
	result := make([]any, len(names))
	for i, name := range names {
		result[i] = name
	}
	return result
}
