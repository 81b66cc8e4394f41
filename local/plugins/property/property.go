// Package property is what every provider plugin here does with Pulumi's property values.
package property

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

// Decode reads properties off the wire; unknown and secret values stay what they are. The label names the properties in
// an error.
func Decode(properties *structpb.Struct, label string) (resource.PropertyMap, error) {
	result, err := plugin.UnmarshalProperties(properties, plugin.MarshalOptions{
		Label: label, KeepUnknowns: true, KeepSecrets: true, SkipNulls: true,
	})
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", label, err)
	}
	return result, nil
}

// Encode writes properties for the wire. An engine that does not know secrets gets them plain.
func Encode(properties resource.PropertyMap, label string, secrets bool) (*structpb.Struct, error) {
	result, err := plugin.MarshalProperties(properties, plugin.MarshalOptions{
		Label: label, KeepUnknowns: true, KeepSecrets: secrets, SkipNulls: true,
	})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", label, err)
	}
	return result, nil
}

// Open takes the secret mark off a value.
func Open(value resource.PropertyValue) resource.PropertyValue {
	for value.IsSecret() {
		value = value.SecretValue().Element
	}
	return value
}

// Opened takes every secret mark off, at any depth.
func Opened(value resource.PropertyValue) resource.PropertyValue {
	value = Open(value)
	switch {
	case value.IsObject():
		return resource.NewObjectProperty(OpenedMap(value.ObjectValue()))
	case value.IsArray():
		var elements []resource.PropertyValue
		for _, element := range value.ArrayValue() {
			elements = append(elements, Opened(element))
		}
		return resource.NewArrayProperty(elements)
	}
	return value
}

// OpenedMap is Opened for each value.
func OpenedMap(properties resource.PropertyMap) resource.PropertyMap {
	result := resource.PropertyMap{}
	for key, value := range properties {
		result[key] = Opened(value)
	}
	return result
}

// Diff compares two sets of inputs and asks for no replacement.
func Diff(olds, news resource.PropertyMap) *pulumirpc.DiffResponse {
	difference := olds.Diff(news)
	if difference == nil {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	}
	response := &pulumirpc.DiffResponse{
		Changes: pulumirpc.DiffResponse_DIFF_SOME, HasDetailedDiff: true,
		DetailedDiff: map[string]*pulumirpc.PropertyDiff{},
	}
	for path, change := range plugin.NewDetailedDiffFromObjectDiff(difference, true) {
		response.DetailedDiff[path] = &pulumirpc.PropertyDiff{Kind: kinds[change.Kind], InputDiff: true}
	}
	for _, key := range difference.ChangedKeys() {
		response.Diffs = append(response.Diffs, string(key))
	}
	return response
}

var kinds = map[plugin.DiffKind]pulumirpc.PropertyDiff_Kind{
	plugin.DiffAdd:    pulumirpc.PropertyDiff_ADD,
	plugin.DiffDelete: pulumirpc.PropertyDiff_DELETE,
	plugin.DiffUpdate: pulumirpc.PropertyDiff_UPDATE,
}

// URN reads the name of a resource.
func URN(text string) (resource.URN, error) {
	if urn := resource.URN(text); urn.IsValid() {
		return urn, nil
	}
	return "", fmt.Errorf("read request: %q is no URN", text)
}
