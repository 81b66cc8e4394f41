package stacks

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/apiservice"
	"agentstack/components/backupjob"
	"agentstack/components/hapostgres"
	"agentstack/components/monitoring"
	"agentstack/components/multiregion"
	"agentstack/components/multiregion/eks"
	"agentstack/components/rediscluster"
	"agentstack/internal/kube"
)

// Environments that a stack can be.
const (
	EnvironmentLocal      = "local"
	EnvironmentStaging    = "staging"
	EnvironmentProduction = "production"
)

// Config is the configuration of a stack: the object agentstack:config, and the secrets beside it.
type Config struct {
	// Environment is local, staging or production. Required.
	Environment string `json:"environment"`
	// PrimaryRegion is the one of Regions that takes the writes. Required.
	PrimaryRegion string `json:"primaryRegion"`
	// Regions to deploy into. At least one; several need aws.
	Regions []Region `json:"regions"`
	// AWS configures what the regions have in the cloud: registry, backup buckets, certificates and DNS. Required in
	// staging and production, not allowed in a local environment.
	AWS *multiregion.Settings `json:"aws"`
	// Image says where the application's images are pushed to and how they are built.
	Image apiservice.ImageSettings `json:"image"`
	// API configures the API of each region.
	API apiservice.Settings `json:"api"`
	// Edge says how the API of each region is reached from outside.
	Edge Edge `json:"edge"`
	// Postgres configures the database of each region.
	Postgres Postgres `json:"postgres"`
	// Redis configures the cache of each region.
	Redis Redis `json:"redis"`
	// Models says which models the API offers, and where they are served.
	Models Models `json:"models"`
	// ObjectStore configures the store for backups that stands in for a cloud's. Not allowed with aws.
	ObjectStore ObjectStore `json:"objectStore"`
	// Backup configures the logical backups of the primary region.
	Backup backupjob.Settings `json:"backup"`
	// Monitoring configures metrics, alerts, dashboards and logs of each region.
	Monitoring monitoring.Settings `json:"monitoring"`

	secrets secrets
}

// Region is a region with a Kubernetes cluster.
type Region struct {
	// Name of the region: one of AWS, or any DNS label in a local environment. Required.
	Name string `json:"name"`
	// KubeContext is the context of the kubeconfig that leads to the region's cluster. Required unless EKS is given.
	KubeContext string `json:"kubeContext"`
	// EKS makes the region's cluster in AWS. Not together with KubeContext.
	EKS *eks.Settings `json:"eks"`
}

// Edge configures the edge. A zero field stands for the default of apiservice.EdgeSettings.
type Edge struct {
	// Host is the DNS name that clients ask for. Required without aws; with it, aws.domain and the region's name in it
	// are the names.
	Host string `json:"host"`

	apiservice.EdgeSettings
}

// edge configures the edge of a region. In AWS it has the name of the stack and that of the region.
func (c Config) edge(target multiregion.Target) *apiservice.Edge {
	edge := &apiservice.Edge{Hosts: []string{c.Edge.Host}, EdgeSettings: c.Edge.EdgeSettings}
	if target.CertificateARN != nil {
		edge.Hosts = []string{target.Host, target.RegionHost}
		edge.CertificateARN = target.CertificateARN
	}
	return edge
}

// ObjectStore configures the S3 gateway of a stack without a cloud.
type ObjectStore struct {
	// Size of its volume, a Kubernetes quantity. Default 10Gi.
	Size string `json:"size"`
}

func (s ObjectStore) withDefaults() ObjectStore {
	if s.Size == "" {
		s.Size = "10Gi"
	}
	return s
}

// Postgres configures a database.
type Postgres struct {
	hapostgres.Settings

	// Recovery makes a second database beside this one, from its archive: see docs/database.md. Default: none.
	Recovery *Recovery `json:"recovery"`
}

// Recovery describes a database that begins with what the running one had at a moment.
type Recovery struct {
	// Name of the new database, another one than postgres.name. Required.
	Name string `json:"name"`
	// TargetTime is the moment, in the form of RFC 3339, in quotes, such as "2026-11-23T12:00:00Z". Default: the last
	// one in the archive.
	TargetTime string `json:"targetTime"`
	// Serve makes the API and the backups use the new database. The old one stays as it is.
	Serve bool `json:"serve"`
}

// names are those of all databases.
func (p Postgres) names() []string {
	names := []string{p.ClusterName()}
	if p.Recovery != nil {
		names = append(names, p.Recovery.Name)
	}
	return names
}

// Redis configures a Redis cluster. A zero field stands for the default of rediscluster.Args.
type Redis struct {
	// Leaders is the number of shards. Default 3.
	Leaders int `json:"leaders"`
	// FollowersPerLeader is how many copies each shard has, at most 3. Default 1.
	FollowersPerLeader int `json:"followersPerLeader"`
	// MaxMemory is what a node's data may take, a Kubernetes quantity. Default three quarters of the memory limit.
	MaxMemory string `json:"maxMemory"`
	// EvictionPolicy says which keys go when memory is full, as maxmemory-policy of Redis. Default allkeys-lru.
	EvictionPolicy string `json:"evictionPolicy"`
	// TLSSecretName is a Secret of the namespace ai-agent with tls.crt, tls.key and ca.crt, as cert-manager makes it.
	// Default: none, and the nodes speak no TLS.
	TLSSecretName string `json:"tlsSecretName"`
	// Resources of each node. Default 500m and 1Gi, at most 1 core and 2Gi.
	Resources kube.Resources `json:"resources"`
	// Storage of each node.
	Storage RedisStorage `json:"storage"`
}

// RedisStorage describes the disk of a Redis node.
type RedisStorage struct {
	// Class is a StorageClass. Default: the one that the Kubernetes cluster marks as default.
	Class string `json:"class"`
	// Size is a Kubernetes quantity. Default 10Gi.
	Size string `json:"size"`
}

// Models are the models of the API: those that are configured, or those of the mock.
type Models struct {
	// Mock deploys a model server with scripted answers and offers its models. Not in production, and not together
	// with the other keys.
	Mock bool `json:"mock"`

	apiservice.Models
}

// secrets are the encrypted values of the stack. A nil one is not configured.
type secrets struct {
	// providerKeys are an object with the keys of models.providers, by their names. Required for api.openai.com and
	// api.anthropic.com.
	providerKeys map[string]pulumi.StringInput
	// jwtKeys sign access tokens: several of at least 32 characters, separated by commas, of which the first signs and
	// all are accepted. Default: generated once.
	jwtKeys pulumi.StringInput
	// signupToken is the bearer token with which tenants sign up; the stack's output signupToken shows it. Empty:
	// nobody can. Default: generated once.
	signupToken pulumi.StringInput
	// signingKey signs the images: a private key on the curve P-256 in PEM, in the form of PKCS #8 and not encrypted.
	// Default: generated once.
	signingKey pulumi.StringInput
	// registryPassword is that of image.username. Required with image.username.
	registryPassword pulumi.StringInput
	// alertWebhookURL takes the alerts, as Alertmanager's webhook sends them. Required in staging and production.
	alertWebhookURL pulumi.StringInput
}

func (c Config) redisArgs(region string) rediscluster.Args {
	return rediscluster.Args{
		Namespace:          namespace,
		Region:             region,
		Leaders:            c.Redis.Leaders,
		FollowersPerLeader: c.Redis.FollowersPerLeader,
		MaxMemory:          c.Redis.MaxMemory,
		EvictionPolicy:     c.Redis.EvictionPolicy,
		TLSSecretName:      c.Redis.TLSSecretName,
		Resources:          c.Redis.Resources,
		Storage:            rediscluster.Storage{Class: c.Redis.Storage.Class, Size: c.Redis.Storage.Size},
	}
}
