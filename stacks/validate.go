package stacks

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/apiservice"
)

var (
	environments      = []string{EnvironmentLocal, EnvironmentStaging, EnvironmentProduction}
	cloudEnvironments = []string{EnvironmentStaging, EnvironmentProduction}
)

// validate reports every problem of the configuration, each led by its path.
func (c Config) validate() field.ErrorList {
	problems := field.ErrorList{}
	if !slices.Contains(environments, c.Environment) {
		problems = append(problems, unsupported(field.NewPath("environment"), c.Environment, environments)...)
	}
	problems = append(problems, c.validateRegions(field.NewPath("regions"))...)
	problems = append(problems, c.Image.Validate(field.NewPath("image"))...)
	problems = append(problems, c.API.Validate(field.NewPath("api"))...)
	problems = append(problems, c.Postgres.Validate(field.NewPath("postgres"))...)
	problems = append(problems, c.redisArgs("any").Validate(field.NewPath("redis"))...)
	return append(problems, c.validateModel(field.NewPath("model"))...)
}

func (c Config) validateRegions(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	if len(c.Regions) == 0 {
		problems = append(problems, field.Required(path, "give at least one region"))
	}
	var names []string
	for i, region := range c.Regions {
		at := path.Index(i)
		problems = append(problems, c.validateRegionName(at.Child("name"), region.Name)...)
		if slices.Contains(names, region.Name) {
			problems = append(problems, field.Duplicate(at.Child("name"), region.Name))
		}
		if region.KubeContext == "" {
			problems = append(problems, field.Required(at.Child("kubeContext"),
				"give a context of the kubeconfig; `kubectl config get-contexts` lists them"))
		}
		if region.Name != "" {
			names = append(names, region.Name)
		}
	}
	if c.PrimaryRegion == "" || len(names) > 0 && !slices.Contains(names, c.PrimaryRegion) {
		problems = append(problems, unsupported(field.NewPath("primaryRegion"), c.PrimaryRegion, names)...)
	}
	return problems
}

func (c Config) validateRegionName(path *field.Path, name string) field.ErrorList {
	problems := field.ErrorList{}
	switch {
	case name == "":
		problems = append(problems, field.Required(path, "give the name of the region"))
	case slices.Contains(cloudEnvironments, c.Environment):
		if !slices.Contains(awsRegions, name) {
			problems = append(problems, field.NotSupported(path, name, awsRegions))
		}
	default:
		for _, detail := range validation.IsDNS1123Label(name) {
			problems = append(problems, field.Invalid(path, name, detail))
		}
	}
	return problems
}

func (c Config) validateModel(path *field.Path) field.ErrorList {
	switch {
	case !c.Model.Mock:
		return apiservice.ValidateBaseURL(path.Child("baseUrl"), c.Model.BaseURL)
	case c.Environment == EnvironmentProduction:
		return field.ErrorList{field.Forbidden(path.Child("mock"),
			"production does not answer from a script; set model.baseUrl to a model server")}
	case c.Model.BaseURL != "":
		return field.ErrorList{field.Forbidden(path.Child("baseUrl"), "must not be given together with model.mock")}
	}
	return nil
}

// unsupported reports a value that is missing or is none of the allowed ones.
func unsupported(path *field.Path, value string, allowed []string) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, fmt.Sprintf("give one of %q", allowed))}
	}
	return field.ErrorList{field.NotSupported(path, value, allowed)}
}
