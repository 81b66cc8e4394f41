package provider

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// inputsKey is where the official provider keeps the inputs of the last build in the state.
const inputsKey = "__inputs"

// oldInputs returns the inputs of the last build: those in the state or, where the state has none, those
// that the engine remembers.
func oldInputs(state resource.PropertyMap, req *pulumirpc.DiffRequest) (resource.PropertyMap, error) {
	if inputs := open(state[inputsKey]); inputs.IsObject() {
		return inputs.ObjectValue(), nil
	}
	return unmarshal(req.GetOldInputs())
}

// diffResponse never asks for replacement: any change means build and push again. Credentials alone are no
// change.
func diffResponse(olds, news resource.PropertyMap) *pulumirpc.DiffResponse {
	none := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	difference := withoutCredentials(olds).Diff(withoutCredentials(news))
	if difference == nil {
		return none
	}
	detailed := map[string]*pulumirpc.PropertyDiff{}
	changed := map[string]bool{}
	for path, change := range plugin.NewDetailedDiffFromObjectDiff(difference, true) {
		detailed[path] = &pulumirpc.PropertyDiff{Kind: diffKinds[change.Kind], InputDiff: true}
	}
	for _, key := range difference.ChangedKeys() {
		changed[string(key)] = true
	}
	response := &pulumirpc.DiffResponse{
		Changes: pulumirpc.DiffResponse_DIFF_SOME, DetailedDiff: detailed, HasDetailedDiff: true,
	}
	for key := range changed {
		response.Diffs = append(response.Diffs, key)
	}
	return response
}

var diffKinds = map[plugin.DiffKind]pulumirpc.PropertyDiff_Kind{
	plugin.DiffAdd:    pulumirpc.PropertyDiff_ADD,
	plugin.DiffDelete: pulumirpc.PropertyDiff_DELETE,
	plugin.DiffUpdate: pulumirpc.PropertyDiff_UPDATE,
}

// withoutCredentials leaves out what changes without changing an image: short-lived logins.
func withoutCredentials(inputs resource.PropertyMap) resource.PropertyMap {
	result := openedMap(inputs)
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
