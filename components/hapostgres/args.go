package hapostgres

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

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

// DefaultImage is PostgreSQL 17 with pgvector and the Barman tools, by the makers of the operator.
const DefaultImage = "ghcr.io/cloudnative-pg/postgresql:17-system-trixie"

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
	// Passwords of the application's roles. Nil: generated once. A standby gets the primary's.
	Passwords *Passwords
	// Recovery makes the cluster from another one's archive, as of a moment. Nil: the cluster begins empty, or as a
	// standby.
	Recovery *Recovery
	// GuardImage is that of the API. Its program guard deletes the pod of a primary whose data volume the kernel made
	// read-only, for which the operator does nothing, and, with DurabilityRequired, of one that is cut off, for which
	// it takes up to a minute; and it fences a replica that has a history of its own. Nil: there is no guard, and
	// somebody has to do it by hand.
	GuardImage pulumi.StringInput

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
	// Name of the cluster, from which all names of its objects and of its folder in the store derive: a DNS label of at
	// most 50 characters. Default "ai-agent-db".
	Name string `json:"name"`
	// Image has PostgreSQL, pgvector and the Barman tools, and a tag that starts with PostgreSQL's version.
	// Default DefaultImage, which moves from one minor version to the next: production pins one. The operator refuses a
	// new image together with new Parameters, or with new Resources or Storage.WALSize that lead to such: change one
	// after the other.
	Image string `json:"image"`
	// Instances counts the primary and its replicas. Default 3.
	Instances int `json:"instances"`
	// SynchronousReplicas is how many replicas must confirm a commit before the client hears of it. Default
	// 1; a cluster of one instance has none. With DurabilityRequired at most Instances-2, so that one replica may be
	// missing.
	SynchronousReplicas int `json:"synchronousReplicas"`
	// DataDurability says what happens to commits when there are fewer. Default DurabilityRequired.
	DataDurability string `json:"dataDurability"`
	// Storage of each instance.
	Storage Storage `json:"storage"`
	// Resources of each instance. Default 500m and 1Gi, at most 4Gi; the limit of the memory is at least 256Mi.
	Resources kube.Resources `json:"resources"`
	// Parameters are settings of postgresql.conf, sizes with a unit. Default: derived from Resources and Storage, and
	// those of the operator.
	Parameters map[string]string `json:"parameters"`
	// Pooler configures the connection pools.
	Pooler Pooler `json:"pooler"`
	// PasswordVersion is raised by one, never by more, to change the passwords of the database's roles: see
	// docs/database.md. Default 1.
	PasswordVersion int `json:"passwordVersion"`
	// Maintenance is set while nodes are drained one after the other: an instance then waits for its node to come back,
	// instead of making its data anew on another. Default false.
	Maintenance bool `json:"maintenance"`
	// Backup configures the base backups.
	Backup Backup `json:"backup"`
	// PromotionToken is what the former primary left behind when it was demoted, for the region that is primary now:
	// see docs/failover.md. Default: none, which promotes a standby as it is.
	PromotionToken string `json:"promotionToken"`
}

// Pooler configures the two connection pools: one leads to the primary, one to the replicas.
type Pooler struct {
	// Instances counts the pods of each pool. Default 2, so that one may be missing; a cluster of one instance has 1.
	Instances int `json:"instances"`
	// MaxClients is how many connections each pod takes. Default 1000.
	MaxClients int `json:"maxClients"`
	// Resources of each pod. Default 50m and 64Mi, at most 256Mi.
	Resources kube.Resources `json:"resources"`
}

// Backup says when base backups are made and how long they are kept, together with the WAL since the oldest of them.
type Backup struct {
	// Schedule has six fields, the first of them the second of the minute, in UTC. Default "0 0 1 * * *": every day at
	// one o'clock. https://pkg.go.dev/github.com/robfig/cron#hdr-CRON_Expression_Format
	Schedule string `json:"schedule"`
	// RetentionDays is for how many days back every moment can be restored. Default 30.
	RetentionDays int `json:"retentionDays"`
}

// Storage describes the two volumes of an instance. They can grow while the cluster runs, where the StorageClass allows
// it, and never shrink: the operator refuses that, in the preview already, with "can't shrink existing storage".
type Storage struct {
	// Class is a StorageClass. Default: the one that the Kubernetes cluster marks as default.
	Class string `json:"class"`
	// Size of the data volume, a Kubernetes quantity of at least 1Gi. Default 10Gi.
	Size string `json:"size"`
	// WALSize is the size of the volume for the write-ahead log, a Kubernetes quantity of at least 1Gi. Default 5Gi.
	WALSize string `json:"walSize"`
}

// ImageName returns Image or its default.
func (s Settings) ImageName() string {
	return s.withDefaults().Image
}

// ClusterName returns Name or its default.
func (s Settings) ClusterName() string {
	return s.withDefaults().Name
}

func (s Settings) withDefaults() Settings {
	if s.Name == "" {
		s.Name = "ai-agent-db"
	}
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
	if s.PasswordVersion == 0 {
		s.PasswordVersion = 1
	}
	if s.Pooler.Instances == 0 {
		s.Pooler.Instances = min(2, max(1, s.Instances))
	}
	if s.Pooler.MaxClients == 0 {
		s.Pooler.MaxClients = 1000
	}
	s.Pooler.Resources = s.Pooler.Resources.Default(kube.Resources{
		Requests: kube.ResourceList{CPU: "50m", Memory: "64Mi"},
		Limits:   kube.ResourceList{Memory: "256Mi"},
	})
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
