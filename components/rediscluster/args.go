package rediscluster

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/internal/kube"
)

// DefaultImage is a Redis without the known holes of its time: docs/adr/0011-redis-and-not-valkey.md lists them.
const DefaultImage = "docker.io/library/redis:8.2.10"

// Args describe a cluster.
type Args struct {
	// Namespace and Region are where the cluster runs. The namespace exists already.
	Namespace string
	Region    string
	// Image has redis-server, redis-cli and a POSIX shell with coreutils. Default DefaultImage.
	Image string
	// Leaders is the number of shards, at least 3 and as many as there are machines for; default 3. It may change:
	// the slots move to where they belong before leaders go and after they came.
	Leaders int
	// FollowersPerLeader is the number of copies of each shard, 1 to 3; default 1. There is a machine more than that.
	FollowersPerLeader int
	// Resources of each node. Default: requests 500m and 1Gi, limits 1 CPU and 2Gi.
	Resources kube.Resources
	// MaxMemory is what a node's data may take, at most three quarters of the memory limit, which is the default. The
	// rest is for Redis itself, for buffers, and for the copies of pages that are written while the append-only file is
	// rewritten. Where writes touch more than about a fifth of the data within the minute or so that this takes, the
	// node would run out of memory: give half of the limit there.
	MaxMemory string
	// EvictionPolicy is what happens at MaxMemory, one of Redis's names. Default allkeys-lru: the least recently used
	// keys go.
	EvictionPolicy string
	Storage        Storage
	// TLSSecretName is a Secret of the namespace with the keys tls.crt, tls.key and ca.crt. With it, clients and nodes
	// speak TLS only; see the package's documentation. Default: no TLS.
	TLSSecretName string
}

// evictionPolicies are all that Redis 8 has. https://redis.io/docs/latest/develop/reference/eviction/
var evictionPolicies = []string{
	"allkeys-lfu", "allkeys-lru", "allkeys-random", "noeviction",
	"volatile-lfu", "volatile-lru", "volatile-random", "volatile-ttl",
}

// Storage describes the disk of each node.
type Storage struct {
	// Class is a StorageClass; empty means the cluster's default.
	Class string
	// Size is at least four times MaxMemory: the append-only file grows to twice the data before it is rewritten, and
	// old and new exist at the same time. Default 10Gi.
	Size string
}

func (a Args) withDefaults() Args {
	if a.Image == "" {
		a.Image = DefaultImage
	}
	if a.Leaders == 0 {
		a.Leaders = 3
	}
	if a.FollowersPerLeader == 0 {
		a.FollowersPerLeader = 1
	}
	if a.EvictionPolicy == "" {
		a.EvictionPolicy = "allkeys-lru"
	}
	a.Resources = a.Resources.Default(kube.Resources{
		Requests: kube.ResourceList{CPU: "500m", Memory: "1Gi"},
		Limits:   kube.ResourceList{CPU: "1", Memory: "2Gi"},
	})
	if a.MaxMemory == "" {
		if limit, err := resource.ParseQuantity(a.Resources.Limits.Memory); err == nil {
			a.MaxMemory = resource.NewQuantity(limit.Value()/4*3, resource.BinarySI).String()
		}
	}
	if a.Storage.Size == "" {
		a.Storage.Size = "10Gi"
	}
	return a
}

// Validate reports every problem, each with the path of its field below path.
func (a Args) Validate(path *field.Path) field.ErrorList {
	a = a.withDefaults()
	problems := field.ErrorList{}
	for _, problem := range validation.IsDNS1123Label(a.Namespace) {
		problems = append(problems, field.Invalid(path.Child("namespace"), a.Namespace, problem))
	}
	if a.Region == "" {
		problems = append(problems, field.Required(path.Child("region"), "name the region that the cluster runs in"))
	}
	_, tag, _ := strings.Cut(a.Image[strings.LastIndex(a.Image, "/")+1:], ":")
	if tag == "" || tag == "latest" {
		problems = append(problems, field.Invalid(path.Child("image"), a.Image, "must have a fixed tag or a digest"))
	}
	if a.Leaders < 3 {
		problems = append(problems, field.Invalid(path.Child("leaders"), a.Leaders,
			"must be at least 3: with fewer there is no majority without the failed one"))
	}
	if a.FollowersPerLeader < 1 || a.FollowersPerLeader > maxFollowers {
		problems = append(problems, field.Invalid(path.Child("followersPerLeader"), a.FollowersPerLeader,
			"must be 1 to 3: without one, a shard ends with its machine, and every one takes memory and traffic"))
	}
	if !slices.Contains(evictionPolicies, a.EvictionPolicy) {
		problems = append(problems,
			field.NotSupported(path.Child("evictionPolicy"), a.EvictionPolicy, evictionPolicies))
	}
	if a.TLSSecretName != "" {
		for _, problem := range validation.IsDNS1123Subdomain(a.TLSSecretName) {
			problems = append(problems, field.Invalid(path.Child("tlsSecretName"), a.TLSSecretName, problem))
		}
	}
	return append(problems, a.validateSizes(path)...)
}

func (a Args) validateSizes(path *field.Path) field.ErrorList {
	problems := a.Resources.Validate(path.Child("resources"))
	storage := kube.Quantity(path.Child("storage", "size"), a.Storage.Size)
	if len(problems) > 0 {
		return append(problems, storage...)
	}
	problems = append(storage, kube.Quantity(path.Child("maxMemory"), a.MaxMemory)...)
	if len(problems) > 0 {
		return problems
	}
	limit, size := resource.MustParse(a.Resources.Limits.Memory), resource.MustParse(a.Storage.Size)
	if limit.Value() < minMemory {
		problems = append(problems, field.Invalid(path.Child("resources", "limits", "memory"),
			a.Resources.Limits.Memory, "must be at least 128Mi: Redis itself and its buffers take about 32Mi"))
	}
	if a.maxMemory() > limit.Value()/4*3 {
		problems = append(problems, field.Invalid(path.Child("maxMemory"), a.MaxMemory,
			fmt.Sprintf("must be at most three quarters of resources.limits.memory, which is %s", limit.String())))
	}
	if size.Value() < 4*a.maxMemory() {
		problems = append(problems, field.Invalid(path.Child("storage", "size"), a.Storage.Size,
			fmt.Sprintf("must be at least four times maxMemory, which is %s", a.MaxMemory)))
	}
	return problems
}

const (
	// minMemory is the least memory limit, in bytes.
	minMemory = 128 << 20
	// maxFollowers is the largest FollowersPerLeader.
	maxFollowers = 3
)

// maxMemory returns MaxMemory in bytes.
func (a Args) maxMemory() int64 {
	quantity := resource.MustParse(a.MaxMemory)
	return quantity.Value()
}
