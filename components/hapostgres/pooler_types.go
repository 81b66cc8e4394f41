package hapostgres

import "agentstack/internal/kube"

// poolerSpec holds the fields of a Pooler that this program sets.
// https://cloudnative-pg.io/documentation/1.28/cloudnative-pg.v1/#poolerspec
type poolerSpec struct {
	Cluster            objectReference    `json:"cluster"`
	Type               string             `json:"type"`
	Instances          int                `json:"instances"`
	PgBouncer          pgBouncerSpec      `json:"pgbouncer"`
	Template           poolerTemplate     `json:"template"`
	DeploymentStrategy deploymentStrategy `json:"deploymentStrategy"`
}

type pgBouncerSpec struct {
	PoolMode   string            `json:"poolMode"`
	Parameters map[string]string `json:"parameters"`
	PgHBA      []string          `json:"pg_hba"`
}

type deploymentStrategy struct {
	Type          string        `json:"type"`
	RollingUpdate rollingUpdate `json:"rollingUpdate"`
}

type rollingUpdate struct {
	MaxSurge       int `json:"maxSurge"`
	MaxUnavailable int `json:"maxUnavailable"`
}

type poolerTemplate struct {
	Metadata inheritedMetadata `json:"metadata"`
	Spec     poolerPodSpec     `json:"spec"`
}

type poolerPodSpec struct {
	Containers                []poolerContainer          `json:"containers"`
	InitContainers            []poolerContainer          `json:"initContainers"`
	EnableServiceLinks        bool                       `json:"enableServiceLinks"`
	Affinity                  podAffinity                `json:"affinity"`
	TopologySpreadConstraints []topologySpreadConstraint `json:"topologySpreadConstraints"`
}

type poolerContainer struct {
	Name      string         `json:"name"`
	Resources kube.Resources `json:"resources"`
	Lifecycle *lifecycle     `json:"lifecycle,omitempty"`
}

type lifecycle struct {
	PreStop preStop `json:"preStop"`
}

type preStop struct {
	Sleep sleep `json:"sleep"`
}

type sleep struct {
	Seconds int `json:"seconds"`
}

type podAffinity struct {
	PodAntiAffinity podAntiAffinity `json:"podAntiAffinity"`
}

type podAntiAffinity struct {
	Preferred []weightedTerm `json:"preferredDuringSchedulingIgnoredDuringExecution"`
}

type weightedTerm struct {
	Weight          int          `json:"weight"`
	PodAffinityTerm affinityTerm `json:"podAffinityTerm"`
}

type affinityTerm struct {
	TopologyKey   string        `json:"topologyKey"`
	LabelSelector labelSelector `json:"labelSelector"`
}
