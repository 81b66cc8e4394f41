package hapostgres

import (
	"fmt"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/internal/kube"
)

// Values of Args.DataDurability.
// https://cloudnative-pg.io/documentation/1.28/replication/#data-durability-and-synchronous-replication
const (
	// DurabilityRequired blocks commits while too few replicas can confirm them.
	DurabilityRequired = "required"
	// DurabilityPreferred lets commits through with fewer confirmations while replicas are missing.
	DurabilityPreferred = "preferred"
)

var durabilities = []string{DurabilityRequired, DurabilityPreferred}

// DefaultImage is PostgreSQL 17 with pgvector and the Barman tools, by the makers of the operator.
const DefaultImage = "ghcr.io/cloudnative-pg/postgresql:17-system-trixie"

// imagePattern wants a version tag: the operator reads PostgreSQL's major version from it.
var imagePattern = regexp.MustCompile(`^[^@\s]+:(1[7-9]|[2-9][0-9])([.-][\w.-]+)?(@sha256:[0-9a-f]{64})?$`)

// Args configures a highly available PostgreSQL cluster.
type Args struct {
	// Namespace is where the cluster's objects go. Required.
	Namespace string
	// Region is the value of the region label. Required.
	Region string

	Settings
}

// Settings is the part of Args that a stack's configuration gives. A zero field stands for its default.
type Settings struct {
	// Image has PostgreSQL, pgvector and the Barman tools, and a tag that starts with PostgreSQL's version.
	// Default DefaultImage, which moves from one minor version to the next: production pins one.
	Image string `json:"image"`
	// Instances counts the primary and its replicas. Default 3.
	Instances int `json:"instances"`
	// SynchronousReplicas is how many replicas must confirm a commit before the client hears of it. Default
	// 1; a cluster of one instance has none.
	SynchronousReplicas int `json:"synchronousReplicas"`
	// DataDurability says what happens to commits when there are fewer. Default DurabilityRequired.
	DataDurability string `json:"dataDurability"`
	// Storage of each instance.
	Storage Storage `json:"storage"`
	// Resources of each instance. Default 500m and 1Gi, at most 4Gi.
	Resources kube.Resources `json:"resources"`
	// Parameters are settings of postgresql.conf. Default: those of the operator.
	Parameters map[string]string `json:"parameters"`
}

// Storage describes the two volumes of an instance.
type Storage struct {
	// Class is a StorageClass. Default: the one that the Kubernetes cluster marks as default.
	Class string `json:"class"`
	// Size of the data volume, a Kubernetes quantity. Default 10Gi.
	Size string `json:"size"`
	// WALSize is the size of the volume for the write-ahead log, a Kubernetes quantity. Default 5Gi.
	WALSize string `json:"walSize"`
}

func (s Settings) withDefaults() Settings {
	if s.Image == "" {
		s.Image = DefaultImage
	}
	if s.Instances == 0 {
		s.Instances = 3
	}
	if s.SynchronousReplicas == 0 && s.Instances > 1 {
		s.SynchronousReplicas = 1
	}
	if s.DataDurability == "" {
		s.DataDurability = DurabilityRequired
	}
	if s.Storage.Size == "" {
		s.Storage.Size = "10Gi"
	}
	if s.Storage.WALSize == "" {
		s.Storage.WALSize = "5Gi"
	}
	s.Resources = s.Resources.Default(kube.Resources{
		Requests: kube.ResourceList{CPU: "500m", Memory: "1Gi"},
		Limits:   kube.ResourceList{Memory: "4Gi"},
	})
	return s
}

// Validate reports every problem of the arguments, each led by the path of its field below path.
func (a Args) Validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	if a.Namespace == "" {
		problems = append(problems, field.Required(path.Child("namespace"), "give the namespace of the cluster"))
	}
	if a.Region == "" {
		problems = append(problems, field.Required(path.Child("region"), "give the name of the region"))
	}
	return append(problems, a.Settings.Validate(path)...)
}

// Validate reports every problem of the settings, each led by the path of its field below path.
func (s Settings) Validate(path *field.Path) field.ErrorList {
	s = s.withDefaults()
	problems := field.ErrorList{}
	if !imagePattern.MatchString(s.Image) {
		problems = append(problems, field.Invalid(path.Child("image"), s.Image,
			"must have a tag that starts with PostgreSQL's version, from 17, such as "+DefaultImage))
	}
	if s.Instances < 1 {
		problems = append(problems, field.Invalid(path.Child("instances"), s.Instances, "must be at least 1"))
	}
	replicas := max(0, s.Instances-1)
	if s.SynchronousReplicas < 0 || s.SynchronousReplicas > replicas {
		problems = append(problems, field.Invalid(path.Child("synchronousReplicas"), s.SynchronousReplicas,
			fmt.Sprintf("must be at least 0 and at most %d, the number of replicas", replicas)))
	}
	if !slices.Contains(durabilities, s.DataDurability) {
		problems = append(problems, field.NotSupported(path.Child("dataDurability"), s.DataDurability, durabilities))
	}
	problems = append(problems, kube.Quantity(path.Child("storage", "size"), s.Storage.Size)...)
	problems = append(problems, kube.Quantity(path.Child("storage", "walSize"), s.Storage.WALSize)...)
	return append(problems, s.Resources.Validate(path.Child("resources"))...)
}
