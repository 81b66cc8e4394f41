package multiregion

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Args lists the regions and says what to deploy into each.
type Args struct {
	// Primary is the name of the region that takes the writes. Required.
	Primary string
	// Regions of the stack, in any order. At least one.
	Regions []Region
	// Deploy is called once for each region. Required.
	Deploy Deploy
}

// Region is a Kubernetes cluster in a region.
type Region struct {
	// Name of the region, such as eu-west-1. It is part of the names of the region's Pulumi resources.
	Name string
	// Provider talks to the region's cluster.
	Provider pulumi.ProviderResource
}

// Deploy registers what one region runs and returns its outputs. Its resources take parent, through which
// they get the region's provider, and have the region in their names.
type Deploy func(ctx *pulumi.Context, region string, parent pulumi.ResourceOption) (pulumi.Map, error)

// Validate reports every problem of the arguments, each led by the path of its field below path.
func (a Args) Validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	if len(a.Regions) == 0 {
		problems = append(problems, field.Required(path.Child("regions"), "give at least one region"))
	}
	var names []string
	for i, region := range a.Regions {
		at := path.Child("regions").Index(i)
		switch {
		case region.Name == "":
			problems = append(problems, field.Required(at.Child("name"), "give the name of the region"))
		case slices.Contains(names, region.Name):
			problems = append(problems, field.Duplicate(at.Child("name"), region.Name))
		}
		if region.Provider == nil {
			problems = append(problems, field.Required(at.Child("provider"), "give the provider of its cluster"))
		}
		names = append(names, region.Name)
	}
	if !slices.Contains(names, a.Primary) {
		problems = append(problems, field.NotSupported(path.Child("primary"), a.Primary, names))
	}
	if a.Deploy == nil {
		problems = append(problems, field.Required(path.Child("deploy"), "say what to deploy into a region"))
	}
	return problems
}

// primaryFirst returns the regions with the primary one in front.
func (a Args) primaryFirst() []Region {
	regions := slices.Clone(a.Regions)
	slices.SortStableFunc(regions, func(x, y Region) int {
		switch {
		case x.Name == a.Primary:
			return -1
		case y.Name == a.Primary:
			return 1
		}
		return 0
	})
	return regions
}
