package hapostgres

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
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
	// Store keeps the WAL archive and the base backups, in a folder of the region's own. Nil: there are none, and a
	// lost volume can only be replaced from another instance.
	Store *kube.ObjectStore
	// Standby makes the cluster a copy of another region's, which can be read and takes no writes. Nil: the cluster
	// takes the writes.
	Standby *Standby
	// AppPassword is the password of the application's role. Nil: generated once. A standby gets the primary's.
	AppPassword pulumi.StringInput

	Settings
}

// Standby names the cluster that a standby follows.
type Standby struct {
	// PrimaryRegion is the region that takes the writes. Required.
	PrimaryRegion string
	// Store is the one that the primary region archives to. Required.
	Store kube.ObjectStore
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
	// Backup configures the base backups.
	Backup Backup `json:"backup"`
	// PromotionToken is what the former primary left behind when it was demoted, for the region that is primary now:
	// see docs/failover.md. Default: none, which promotes a standby as it is.
	PromotionToken string `json:"promotionToken"`
}

// Backup says when base backups are made and how long they are kept, together with the WAL since the oldest of them.
type Backup struct {
	// Schedule has six fields, the first of them the second of the minute, in UTC. Default "0 0 1 * * *": every day at
	// one o'clock. https://pkg.go.dev/github.com/robfig/cron#hdr-CRON_Expression_Format
	Schedule string `json:"schedule"`
	// RetentionDays is for how many days back every moment can be restored. Default 30.
	RetentionDays int `json:"retentionDays"`
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

// ImageName returns Image or its default.
func (s Settings) ImageName() string {
	return s.withDefaults().Image
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
	if s.Backup.Schedule == "" {
		s.Backup.Schedule = "0 0 1 * * *"
	}
	if s.Backup.RetentionDays == 0 {
		s.Backup.RetentionDays = 30
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
	if a.Store != nil {
		problems = append(problems, a.Store.Validate(path.Child("store"))...)
	}
	problems = append(problems, a.validateStandby(path.Child("standby"))...)
	return append(problems, a.Settings.Validate(path)...)
}

func (a Args) validateStandby(path *field.Path) field.ErrorList {
	if a.Standby == nil {
		return nil
	}
	problems := a.Standby.Store.Validate(path.Child("store"))
	if a.Store == nil {
		problems = append(problems, field.Forbidden(path, "a standby needs a store of its own, for the day it leads"))
	}
	if a.AppPassword == nil {
		problems = append(problems, field.Forbidden(path, "a standby needs the appPassword of the primary"))
	}
	switch a.Standby.PrimaryRegion {
	case "":
		problems = append(problems, field.Required(path.Child("primaryRegion"), "give the region with the writes"))
	case a.Region:
		problems = append(problems, field.Invalid(path.Child("primaryRegion"), a.Region, "must be another region"))
	}
	return problems
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
	if fields := strings.Fields(s.Backup.Schedule); len(fields) != 6 {
		problems = append(problems, field.Invalid(path.Child("backup", "schedule"), s.Backup.Schedule,
			`must have six fields, of which the first is the second, such as "0 0 1 * * *"`))
	}
	if s.Backup.RetentionDays < 1 {
		problems = append(problems, field.Invalid(path.Child("backup", "retentionDays"), s.Backup.RetentionDays,
			"must be at least 1"))
	}
	problems = append(problems, kube.Quantity(path.Child("storage", "size"), s.Storage.Size)...)
	problems = append(problems, kube.Quantity(path.Child("storage", "walSize"), s.Storage.WALSize)...)
	return append(problems, s.Resources.Validate(path.Child("resources"))...)
}
