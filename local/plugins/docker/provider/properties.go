package provider

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"google.golang.org/protobuf/types/known/structpb"
)

func unmarshal(properties *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(properties, plugin.MarshalOptions{
		KeepUnknowns: true, KeepSecrets: true, SkipNulls: true, RejectAssets: true,
	})
}

func marshal(properties resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(properties, plugin.MarshalOptions{
		KeepUnknowns: true, KeepSecrets: true, SkipNulls: true,
	})
}

// open takes the secret mark off a value.
func open(value resource.PropertyValue) resource.PropertyValue {
	for value.IsSecret() {
		value = value.SecretValue().Element
	}
	return value
}

// opened takes every secret mark off, at any depth.
func opened(value resource.PropertyValue) resource.PropertyValue {
	value = open(value)
	switch {
	case value.IsObject():
		return resource.NewObjectProperty(openedMap(value.ObjectValue()))
	case value.IsArray():
		var elements []resource.PropertyValue
		for _, element := range value.ArrayValue() {
			elements = append(elements, opened(element))
		}
		return resource.NewArrayProperty(elements)
	}
	return value
}

func openedMap(properties resource.PropertyMap) resource.PropertyMap {
	result := resource.PropertyMap{}
	for key, value := range properties {
		result[key] = opened(value)
	}
	return result
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
	plain, _ := known(resource.NewObjectProperty(openedMap(properties)))
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
