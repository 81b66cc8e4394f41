package pulumitest

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func plainObject(properties resource.PropertyMap) map[string]any {
	object := map[string]any{}
	for key, value := range properties {
		object[string(key)] = plain(value)
	}
	return object
}

// plain turns a property into what encoding/json knows, and hides what is secret or unknown.
func plain(value resource.PropertyValue) any {
	switch {
	case value.IsSecret():
		return Secret
	case value.IsOutput():
		return plainOutput(value.OutputValue())
	case value.IsComputed():
		return Unknown
	case value.IsObject():
		return plainObject(value.ObjectValue())
	case value.IsArray():
		list := []any{}
		for _, element := range value.ArrayValue() {
			list = append(list, plain(element))
		}
		return list
	case value.IsNull():
		return nil
	default:
		return value.V
	}
}

func plainOutput(output resource.Output) any {
	switch {
	case output.Secret:
		return Secret
	case !output.Known:
		return Unknown
	default:
		return plain(output.Element)
	}
}
