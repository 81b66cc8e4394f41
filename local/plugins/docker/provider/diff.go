package provider

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"agentstack/local/plugins/property"
)

// inputsKey is where the official provider keeps the inputs of the last build in the state.
const inputsKey = "__inputs"

// oldInputs returns the inputs of the last build: those in the state or, where the state has none, those
// that the engine remembers.
func oldInputs(state resource.PropertyMap, req *pulumirpc.DiffRequest) (resource.PropertyMap, error) {
	if inputs := property.Open(state[inputsKey]); inputs.IsObject() {
		return inputs.ObjectValue(), nil
	}
	return property.Decode(req.GetOldInputs(), "old inputs")
}

// diffResponse never asks for replacement: any change means build and push again. Credentials alone are no
// change.
func diffResponse(olds, news resource.PropertyMap) *pulumirpc.DiffResponse {
	return property.Diff(withoutCredentials(olds), withoutCredentials(news))
}

// withoutCredentials leaves out what changes without changing an image: short-lived logins.
func withoutCredentials(inputs resource.PropertyMap) resource.PropertyMap {
	result := property.OpenedMap(inputs)
	forget := func(value resource.PropertyValue) {
		if value.IsObject() {
			delete(value.ObjectValue(), "username")
			delete(value.ObjectValue(), "password")
		}
	}
	forget(result["registry"])
	if logins := result["registryAuth"]; logins.IsArray() {
		for _, login := range logins.ArrayValue() {
			forget(login)
		}
	}
	return result
}
