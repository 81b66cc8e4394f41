package multiregion

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumix"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/multiregion/eks"
	"agentstack/internal/kube"
)

// Args lists the regions and says what to deploy into each.
type Args struct {
	// Primary is the name of the region that takes the writes. Required.
	Primary string
	// Regions of the stack, in any order. At least one.
	Regions []Region
	// AWS makes what the regions need in the cloud. Nil: nothing is made there.
	AWS *AWS
	// Prepare is called once, when there is a registry and before the first region is deployed into. May be nil.
	Prepare func(shared Shared) error
	// Deploy is called once for each region. Required.
	Deploy Deploy
}

// Region is a region with a Kubernetes cluster.
type Region struct {
	// Name of the region, such as eu-west-1. It is part of the names of the region's Pulumi resources.
	Name string
	// Kubernetes talks to the region's cluster. Nil: EKS says how to make one.
	Kubernetes pulumi.ProviderResource
	// EKS configures a cluster that is made in the region. Needs AWS.
	EKS *eks.Settings
	// AWS talks to AWS in this region. Required with Args.AWS.
	AWS pulumi.ProviderResource
}

// AWS configures what is made in the cloud.
type AWS struct {
	Settings

	// Environment of the stack, such as production, where buckets are protected from deletion. Required.
	Environment string
	// AccountID is the account in which it is made, 12 digits. Required.
	AccountID string
	// Databases are the names of the databases, whose pods have ServiceAccounts of these names. They write and read the
	// archives in the buckets.
	Databases []string
}

// Shared is what the regions have in common. Its fields are nil without AWS.
type Shared struct {
	// Repository is where images are pushed to.
	Repository pulumi.StringInput
	// Username and Password are good for pushing. The password is a secret.
	Username, Password pulumi.StringInput
}

// Target is a region that is deployed into. What comes from AWS is nil or empty without it.
type Target struct {
	// Region is its name.
	Region string
	// Primary tells the region that takes the writes.
	Primary bool
	// Store is the region's bucket, and PrimaryStore that of the primary region.
	Store, PrimaryStore *kube.ObjectStore
	// CertificateARN is the certificate for Host and RegionHost, known when it is issued.
	CertificateARN pulumi.StringInput
	// Host is the public name of the stack, and RegionHost that of this region, under which its health is asked for.
	Host, RegionHost string

	primary string
}

// Image returns an image of the primary region's registry as it is found in this region's: without AWS, the same.
func (t Target) Image(image pulumi.StringInput) pulumi.StringInput {
	if t.Primary || t.Host == "" {
		return image
	}
	own := pulumix.Apply(image.ToStringOutput(), func(reference string) string {
		return strings.Replace(reference, ".ecr."+t.primary+".", ".ecr."+t.Region+".", 1)
	})
	return pulumix.Cast[pulumi.StringOutput](own)
}

// Deployment is what was deployed into a region.
type Deployment struct {
	// Outputs of the region.
	Outputs pulumi.Map
	// Hostname of the region's load balancer. Required with AWS, which leads the domain to it.
	Hostname pulumi.StringInput
}

// Deploy registers what one region runs. Its resources take parent, through which they get the region's Kubernetes
// provider, and have the region in their names.
type Deploy func(ctx *pulumi.Context, target Target, parent pulumi.ResourceOption) (Deployment, error)

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
		problems = append(problems, region.validate(at, a.AWS != nil)...)
		names = append(names, region.Name)
	}
	if !slices.Contains(names, a.Primary) {
		problems = append(problems, field.NotSupported(path.Child("primary"), a.Primary, names))
	}
	if a.AWS != nil {
		problems = append(problems, a.AWS.validate(path.Child("aws"))...)
	}
	if a.Deploy == nil {
		problems = append(problems, field.Required(path.Child("deploy"), "say what to deploy into a region"))
	}
	return problems
}

func (r Region) validate(path *field.Path, inCloud bool) field.ErrorList {
	problems := field.ErrorList{}
	switch {
	case r.EKS == nil && r.Kubernetes == nil:
		problems = append(problems, field.Required(path.Child("kubernetes"), "give the provider of its cluster"))
	case r.EKS != nil && r.Kubernetes != nil:
		problems = append(problems, field.Forbidden(path.Child("eks"), "must not be given together with kubernetes"))
	case r.EKS != nil && !inCloud:
		problems = append(problems, field.Forbidden(path.Child("eks"), "needs aws"))
	case r.EKS != nil:
		problems = append(problems, r.EKS.Validate(path.Child("eks"))...)
	}
	if inCloud && r.AWS == nil {
		problems = append(problems, field.Required(path.Child("aws"), "give the AWS provider of the region"))
	}
	return problems
}

func (a AWS) validate(path *field.Path) field.ErrorList {
	problems := a.Validate(path)
	if a.Environment == "" {
		problems = append(problems, field.Required(path.Child("environment"), "give the name of the environment"))
	}
	if a.AccountID == "" {
		problems = append(problems, field.Required(path.Child("accountId"), "give the AWS account"))
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
