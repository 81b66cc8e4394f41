package dns

import (
	"regexp"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var zonePattern = regexp.MustCompile(`^Z[A-Z0-9]+$`)

// Args is what certificates and records of a domain have in common.
type Args struct {
	// Domain is the public name of the stack, such as agent.example.com. Required.
	Domain string
	// ZoneID is the hosted zone that the domain is in, such as Z0123456789ABC. Required.
	ZoneID string
	// Environment is a tag of the resources.
	Environment string
	// Regions that the domain leads to, the primary one first. At least one.
	Regions []Region
}

// Region is a region that the domain leads to.
type Region struct {
	Name     string
	Provider pulumi.ProviderResource
}

// Validate reports every problem of the arguments, each led by the path of its field below path.
func (a Args) Validate(path *field.Path) field.ErrorList {
	problems := ValidateZone(path, a.Domain, a.ZoneID)
	if len(a.Regions) == 0 {
		problems = append(problems, field.Required(path.Child("regions"), "give at least one region"))
	}
	return problems
}

// Validate reports every problem of the arguments, each led by the path of its field below path.
func (a RecordsArgs) Validate(path *field.Path) field.ErrorList {
	problems := a.Args.Validate(path)
	if !slices.Contains(Routings, a.Routing) {
		problems = append(problems, field.NotSupported(path.Child("routing"), a.Routing, Routings))
	}
	for _, region := range a.Regions {
		if a.Hostnames[region.Name] == nil {
			problems = append(problems, field.Required(path.Child("hostnames").Key(region.Name),
				"give the name of the region's load balancer"))
		}
	}
	return problems
}

// ValidateZone reports what is not a domain or not the identifier of a hosted zone.
func ValidateZone(path *field.Path, domain, zoneID string) field.ErrorList {
	problems := field.ErrorList{}
	if domain == "" {
		problems = append(problems, field.Required(path.Child("domain"), "give the public name of the stack"))
	} else if details := validation.IsFullyQualifiedDomainName(path.Child("domain"), domain); len(details) > 0 {
		problems = append(problems, details...)
	}
	if !zonePattern.MatchString(zoneID) {
		problems = append(problems, field.Invalid(path.Child("zoneId"), zoneID,
			"must be the ID of the hosted zone of the domain; `aws route53 list-hosted-zones` shows it"))
	}
	return problems
}

func (a Args) regionNames() []string {
	var names []string
	for _, region := range a.Regions {
		names = append(names, region.Name)
	}
	return names
}
