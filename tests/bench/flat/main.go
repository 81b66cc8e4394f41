// Command flat is a Pulumi program without components: it registers what resources.json lists, in the order of their
// dependencies, each with its inputs, its provider and its dependencies.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/pulumitest"
	// With it come the SDKs of the program, whose types register themselves at every start: that is no cost of
	// components.
	_ "agentstack/stacks"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		encoded, err := os.ReadFile("resources.json")
		if err != nil {
			return fmt.Errorf("read resources: %w", err)
		}
		var listed []pulumitest.Resource
		if err := json.Unmarshal(encoded, &listed); err != nil {
			return fmt.Errorf("parse resources: %w", err)
		}
		f := flat{ctx: ctx, listed: map[string]pulumitest.Resource{}, registered: map[string]pulumi.Resource{}}
		for _, resource := range listed {
			f.listed[resource.Type+" "+resource.Name] = resource
		}
		for reference := range f.listed {
			if _, err := f.register(reference); err != nil {
				return err
			}
		}
		return nil
	})
}

type flat struct {
	ctx        *pulumi.Context
	listed     map[string]pulumitest.Resource
	registered map[string]pulumi.Resource
}

// register registers a resource after what it depends on. The reference of a component gives nil.
func (f flat) register(reference string) (pulumi.Resource, error) {
	resource, isListed := f.listed[reference]
	if known, found := f.registered[reference]; found || !isListed {
		return known, nil
	}
	var opts []pulumi.ResourceOption
	provider, err := f.register(resource.Provider)
	if err != nil {
		return nil, err
	}
	if usable, isProvider := provider.(pulumi.ProviderResource); isProvider {
		opts = append(opts, pulumi.Provider(usable))
	}
	var dependencies []pulumi.Resource
	for _, name := range resource.DependsOn {
		dependency, err := f.register(name)
		if err != nil {
			return nil, err
		}
		if dependency != nil {
			dependencies = append(dependencies, dependency)
		}
	}
	opts = append(opts, pulumi.DependsOn(dependencies), pulumi.IgnoreChanges(resource.IgnoreChanges),
		pulumi.ReplaceOnChanges(resource.ReplaceOnChanges))
	var registered pulumi.CustomResource = &pulumi.CustomResourceState{}
	if strings.HasPrefix(resource.Type, "pulumi:providers:") {
		registered = &pulumi.ProviderResourceState{}
	}
	inputs, _ := input(resource.Inputs).(pulumi.Map)
	if err := f.ctx.RegisterResource(resource.Type, resource.Name, inputs, registered, opts...); err != nil {
		return nil, fmt.Errorf("register %s: %w", reference, err)
	}
	f.registered[reference] = registered
	return registered, nil
}

// input turns a recorded value into an input; what the recording does not show stays secret or unknown.
func input(value any) pulumi.Input {
	switch value := value.(type) {
	case map[string]any:
		object := pulumi.Map{}
		for key, element := range value {
			object[key] = input(element)
		}
		return object
	case []any:
		list := pulumi.Array{}
		for _, element := range value {
			list = append(list, input(element))
		}
		return list
	case string:
		switch value {
		case pulumitest.Unknown:
			return pulumi.UnsafeUnknownOutput(nil)
		case pulumitest.Secret:
			return pulumi.ToSecret(pulumi.String(value))
		}
		return pulumi.String(value)
	default:
		return pulumi.Any(value)
	}
}
