package stacks

import (
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/apiservice"
	"agentstack/components/hapostgres"
	"agentstack/internal/kube"
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
	problems = append(problems, c.validateCloud(field.NewPath("aws"))...)
	problems = append(problems, c.validateImage(field.NewPath("image"))...)
	problems = append(problems, c.API.Validate(field.NewPath("api"))...)
	problems = append(problems, c.validateEdge(field.NewPath("edge"))...)
	problems = append(problems, c.validatePostgres(field.NewPath("postgres"))...)
	problems = append(problems, c.redisArgs("any").Validate(field.NewPath("redis"))...)
	problems = append(problems, c.validateModels(field.NewPath("models"))...)
	problems = append(problems, c.validateObjectStore(field.NewPath("objectStore"))...)
	problems = append(problems, c.Backup.Validate(field.NewPath("backup"))...)
	return append(problems, c.Monitoring.Validate(field.NewPath("monitoring"))...)
}

// cloud tells whether the environment is in AWS.
func (c Config) cloud() bool { return slices.Contains(cloudEnvironments, c.Environment) }

func (c Config) validateCloud(path *field.Path) field.ErrorList {
	switch {
	case c.AWS != nil && c.Environment == EnvironmentLocal:
		return field.ErrorList{field.Forbidden(path, "a local environment uses no cloud")}
	case c.AWS != nil:
		return c.AWS.Validate(path)
	case c.cloud():
		return field.ErrorList{field.Required(path, "give the domain and the bucket prefix of "+c.Environment)}
	}
	return nil
}

// validateImage wants a repository where the cloud brings none.
func (c Config) validateImage(path *field.Path) field.ErrorList {
	if !c.cloud() {
		return c.Image.Validate(path)
	}
	problems := apiservice.ValidateBuildNetwork(path.Child("buildNetwork"), c.Image.BuildNetwork)
	const detail = "aws brings a registry with credentials of its own"
	if c.Image.Repository != "" {
		problems = append(problems, field.Forbidden(path.Child("repository"), detail))
	}
	if c.Image.Username != "" {
		problems = append(problems, field.Forbidden(path.Child("username"), detail))
	}
	return problems
}

// validateEdge wants a host where the cloud has no domain, and the load balancer's certificate where it has one.
func (c Config) validateEdge(path *field.Path) field.ErrorList {
	problems := c.Edge.Validate(path)
	if !c.cloud() {
		return append(apiservice.ValidateHost(path.Child("host"), c.Edge.Host), problems...)
	}
	if c.Edge.Host != "" {
		problems = append(problems, field.Forbidden(path.Child("host"), "aws.domain is the name of the stack"))
	}
	if issuer := c.Edge.Issuer; issuer != "" && issuer != apiservice.IssuerLocal {
		problems = append(problems, field.Forbidden(path.Child("issuer"),
			"with aws, clients see a certificate of ACM: leave it at local"))
	}
	return problems
}

func (c Config) validateObjectStore(path *field.Path) field.ErrorList {
	if c.cloud() && c.ObjectStore != (ObjectStore{}) {
		return field.ErrorList{field.Forbidden(path, "with aws, backups go to buckets there")}
	}
	return kube.Quantity(path.Child("size"), c.ObjectStore.withDefaults().Size)
}

func (c Config) validatePostgres(path *field.Path) field.ErrorList {
	problems := c.Postgres.Validate(path)
	if clients, at := c.Postgres.Pooler.MaxClients, path.Child("pooler", "maxClients"); clients > 0 &&
		clients < c.API.Connections() {
		problems = append(problems, field.Invalid(at, clients, fmt.Sprintf("must be at least %d, which the pods of "+
			"the API keep if there are api.maxReplicas: one pod of the pool may be missing", c.API.Connections())))
	}
	recovery, at := c.Postgres.Recovery, path.Child("recovery")
	if recovery == nil {
		return problems
	}
	if recovery.Name == "" {
		return append(problems, field.Required(at.Child("name"), "give the name of the new database"))
	}
	problems = append(problems, hapostgres.ValidateName(at.Child("name"), recovery.Name)...)
	origin := hapostgres.Recovery{From: c.Postgres.ClusterName(), TargetTime: recovery.TargetTime}
	return append(problems, origin.Validate(at, recovery.Name)...)
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
		problems = append(problems, c.validateCluster(at, region)...)
		if region.Name != "" {
			names = append(names, region.Name)
		}
	}
	if c.PrimaryRegion == "" || len(names) > 0 && !slices.Contains(names, c.PrimaryRegion) {
		problems = append(problems, unsupported(field.NewPath("primaryRegion"), c.PrimaryRegion, names)...)
	}
	if len(problems) == 0 && len(c.Regions) > 1 && !c.cloud() {
		problems = append(problems, field.TooMany(path, len(c.Regions), 1))
	}
	return problems
}

func (c Config) validateCluster(path *field.Path, region Region) field.ErrorList {
	switch {
	case region.EKS == nil && region.KubeContext == "":
		return field.ErrorList{field.Required(path.Child("kubeContext"),
			"give a context of the kubeconfig, `kubectl config get-contexts` lists them, or eks to make a cluster")}
	case region.EKS == nil:
		return nil
	case region.KubeContext != "":
		return field.ErrorList{field.Forbidden(path.Child("eks"), "must not be given together with kubeContext")}
	case !c.cloud():
		return field.ErrorList{field.Forbidden(path.Child("eks"), "needs aws")}
	}
	return region.EKS.Validate(path.Child("eks"))
}

func (c Config) validateRegionName(path *field.Path, name string) field.ErrorList {
	problems := field.ErrorList{}
	switch {
	case name == "":
		problems = append(problems, field.Required(path, "give the name of the region"))
	case c.cloud():
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

func (c Config) validateModels(path *field.Path) field.ErrorList {
	switch {
	case !c.Models.Mock:
		return c.Models.Validate(path)
	case c.Environment == EnvironmentProduction:
		return field.ErrorList{field.Forbidden(path.Child("mock"),
			"production does not answer from a script; set models.providers and models.catalog")}
	case !reflect.DeepEqual(c.Models, Models{Mock: true}):
		return field.ErrorList{field.Forbidden(path.Child("mock"),
			"must not be given together with providers, catalog or embeddingModel")}
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
