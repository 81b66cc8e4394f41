package object

import (
	"encoding/base64"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// readOnlyMetadata is set by the API server alone.
var readOnlyMetadata = []string{
	"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation",
	"managedFields", "resourceVersion", "uid",
}

// Normalize returns the inputs in the spelling in which the API server returns them (cpu 0.5 becomes 500m,
// stringData becomes data), so that a spelling is no difference. What it cannot convert without loss (a
// custom resource, an unknown field, an unknown value) it leaves to the API server's own validation.
func Normalize(obj *unstructured.Unstructured) *unstructured.Unstructured {
	result := &unstructured.Unstructured{Object: maps.Clone(obj.Object)}
	switch {
	case HasUnknowns(obj):
	case IsSecret(obj):
		normalizeSecret(result)
	case IsCRD(obj.GroupVersionKind()):
		normalizeCRD(result)
	default:
		if typed, ok := throughType(obj); ok {
			result = Prune(typed, obj)
		}
	}
	if metadata := mapAt(result.Object, "metadata"); metadata != nil {
		metadata = maps.Clone(metadata)
		for _, field := range readOnlyMetadata {
			delete(metadata, field)
		}
		result.Object["metadata"] = metadata
	}
	return result
}

func throughType(obj *unstructured.Unstructured) (*unstructured.Unstructured, bool) {
	typed, err := scheme.Scheme.New(obj.GroupVersionKind())
	if err != nil {
		return nil, false
	}
	converter := runtime.DefaultUnstructuredConverter
	if converter.FromUnstructuredWithValidation(obj.Object, typed, true) != nil {
		return nil, false
	}
	content, err := converter.ToUnstructured(typed)
	if err != nil {
		return nil, false
	}
	return &unstructured.Unstructured{Object: content}, true
}

func normalizeSecret(obj *unstructured.Unstructured) {
	data := maps.Clone(mapAt(obj.Object, "data"))
	if data == nil {
		data = map[string]any{}
	}
	for key, value := range data {
		text, _ := value.(string)
		if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
			data[key] = base64.StdEncoding.EncodeToString(decoded)
		}
	}
	for key, value := range mapAt(obj.Object, "stringData") {
		text, ok := value.(string)
		if !ok {
			return
		}
		data[key] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	delete(obj.Object, "stringData")
	if len(data) > 0 {
		obj.Object["data"] = data
	}
}

func normalizeCRD(obj *unstructured.Unstructured) {
	delete(obj.Object, "status")
	spec := mapAt(obj.Object, "spec")
	if preserve, ok := spec["preserveUnknownFields"].(bool); ok && !preserve {
		spec = maps.Clone(spec)
		delete(spec, "preserveUnknownFields")
		obj.Object["spec"] = spec
	}
}

// Prune returns the part of live that has the shape of inputs: fields that the program does not set are
// left out, whoever set them.
func Prune(live, inputs *unstructured.Unstructured) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: pruneMap(live.Object, inputs.Object)}
}

func pruneMap(live, inputs map[string]any) map[string]any {
	result := map[string]any{}
	for key, input := range inputs {
		if value, ok := live[key]; ok {
			result[key] = pruneValue(value, input)
		}
	}
	return result
}

func pruneValue(live, input any) any {
	switch input := input.(type) {
	case map[string]any:
		if live, ok := live.(map[string]any); ok {
			return pruneMap(live, input)
		}
	case []any:
		if live, ok := live.([]any); ok {
			return pruneList(live, input)
		}
	}
	return live
}

// pruneList pairs elements by name where all have one (containers, ports, environment), by position
// otherwise. A list of scalars is one value.
func pruneList(live, inputs []any) []any {
	if len(live) == 0 || len(inputs) == 0 {
		return live
	}
	if _, objects := inputs[0].(map[string]any); !objects {
		return live
	}
	result := make([]any, 0, len(inputs))
	byName, named := indexByName(live)
	for i, input := range inputs {
		name, hasName := elementName(input)
		switch {
		case named && hasName:
			if value, ok := byName[name]; ok {
				result = append(result, pruneValue(value, input))
			}
		case i < len(live):
			result = append(result, pruneValue(live[i], input))
		}
	}
	return result
}

func indexByName(list []any) (map[string]any, bool) {
	index := make(map[string]any, len(list))
	for _, element := range list {
		name, ok := elementName(element)
		if _, duplicate := index[name]; !ok || duplicate {
			return nil, false
		}
		index[name] = element
	}
	return index, true
}

func elementName(element any) (string, bool) {
	fields, _ := element.(map[string]any)
	name, ok := fields["name"].(string)
	return name, ok
}

// Importable returns what a program could have said to make the live object.
func Importable(live *unstructured.Unstructured) *unstructured.Unstructured {
	inputs := live.DeepCopy()
	delete(inputs.Object, "status")
	for _, field := range append([]string{"selfLink"}, readOnlyMetadata...) {
		unstructured.RemoveNestedField(inputs.Object, "metadata", field)
	}
	for _, annotation := range []string{"deployment.kubernetes.io/revision", annotationLastApplied} {
		unstructured.RemoveNestedField(inputs.Object, "metadata", "annotations", annotation)
	}
	if len(inputs.GetAnnotations()) == 0 {
		unstructured.RemoveNestedField(inputs.Object, "metadata", "annotations")
	}
	return inputs
}
