package provider

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"google.golang.org/protobuf/types/known/structpb"

	"agentstack/local/plugins/property"
)

func marshal(properties resource.PropertyMap) (*structpb.Struct, error) {
	return property.Encode(properties, "properties", true)
}

// known drops every value that is not known yet.
func known(value resource.PropertyValue) (any, bool) {
	switch {
	case value.IsComputed(), value.IsOutput():
		return nil, false
	case value.IsObject():
		result := map[string]any{}
		for key, element := range value.ObjectValue() {
			if plain, ok := known(element); ok {
				result[string(key)] = plain
			}
		}
		return result, true
	case value.IsArray():
		result := []any{}
		for _, element := range value.ArrayValue() {
			if plain, ok := known(element); ok {
				result = append(result, plain)
			}
		}
		return result, true
	}
	return value.Mappable(), true
}

// decode reads the known values into target and refuses keys that target does not have.
func decode(properties resource.PropertyMap, target any) error {
	plain, _ := known(resource.NewObjectProperty(property.OpenedMap(properties)))
	text, err := json.Marshal(plain)
	if err != nil {
		return fmt.Errorf("read inputs: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(target); err != nil {
		return fmt.Errorf("read inputs: %w", err)
	}
	return nil
}

// secretTexts returns every string that is marked secret or is a password.
func secretTexts(value resource.PropertyValue, secret bool) []string {
	if value.IsSecret() {
		return secretTexts(value.SecretValue().Element, true)
	}
	var found []string
	switch {
	case value.IsString() && secret && value.StringValue() != "":
		return []string{value.StringValue()}
	case value.IsObject():
		for key, element := range value.ObjectValue() {
			found = append(found, secretTexts(element, secret || key == "password")...)
		}
	case value.IsArray():
		for _, element := range value.ArrayValue() {
			found = append(found, secretTexts(element, secret)...)
		}
	}
	return found
}
