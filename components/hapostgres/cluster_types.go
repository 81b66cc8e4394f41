package hapostgres

import "agentstack/internal/kube"

// clusterSpec holds the fields of a CloudNativePG Cluster (postgresql.cnpg.io/v1) that this program sets.
// https://cloudnative-pg.io/documentation/1.28/cloudnative-pg.v1/#clusterspec
type clusterSpec struct {
	Instances             int               `json:"instances"`
	ImageName             string            `json:"imageName"`
	PrimaryUpdateStrategy string            `json:"primaryUpdateStrategy"`
	PrimaryUpdateMethod   string            `json:"primaryUpdateMethod"`
	EnableSuperuserAccess bool              `json:"enableSuperuserAccess"`
	SmartShutdownTimeout  int               `json:"smartShutdownTimeout"`
	StopDelay             int               `json:"stopDelay"`
	SwitchoverDelay       int               `json:"switchoverDelay"`
	PostgreSQL            postgresqlSpec    `json:"postgresql,omitzero"`
	Bootstrap             bootstrapSpec     `json:"bootstrap"`
	Managed               managedSpec       `json:"managed"`
	Backup                *backupSpec       `json:"backup,omitempty"`
	Replica               *replicaSpec      `json:"replica,omitempty"`
	ExternalClusters      []externalCluster `json:"externalClusters,omitempty"`
	Env                   []envVar          `json:"env,omitempty"`
	Storage               storageSpec       `json:"storage"`
	WALStorage            storageSpec       `json:"walStorage"`
	Resources             kube.Resources    `json:"resources"`
	Affinity              affinitySpec      `json:"affinity"`
	SeccompProfile        seccompSpec       `json:"seccompProfile"`
	InheritedMetadata     inheritedMetadata `json:"inheritedMetadata"`
}

type postgresqlSpec struct {
	Parameters  map[string]string `json:"parameters,omitempty"`
	Synchronous *synchronousSpec  `json:"synchronous,omitempty"`
}

type synchronousSpec struct {
	Method         string `json:"method"`
	Number         int    `json:"number"`
	DataDurability string `json:"dataDurability"`
	FailoverQuorum bool   `json:"failoverQuorum"`
}

type bootstrapSpec struct {
	InitDB   *initDBSpec   `json:"initdb,omitempty"`
	Recovery *recoverySpec `json:"recovery,omitempty"`
}

type initDBSpec struct {
	Database               string          `json:"database"`
	Owner                  string          `json:"owner"`
	Secret                 objectReference `json:"secret"`
	PostInitApplicationSQL []string        `json:"postInitApplicationSQL,omitempty"`
	PostInitTemplateSQL    []string        `json:"postInitTemplateSQL,omitempty"`
}

type recoverySpec struct {
	Source   string          `json:"source"`
	Database string          `json:"database"`
	Owner    string          `json:"owner"`
	Secret   objectReference `json:"secret"`
}

type objectReference struct {
	Name string `json:"name"`
}

type managedSpec struct {
	Roles []roleSpec `json:"roles"`
}

type roleSpec struct {
	Name           string          `json:"name"`
	Ensure         string          `json:"ensure"`
	Comment        string          `json:"comment"`
	Login          bool            `json:"login"`
	CreateDB       bool            `json:"createdb"`
	BypassRLS      bool            `json:"bypassrls"`
	InRoles        []string        `json:"inRoles"`
	PasswordSecret objectReference `json:"passwordSecret"`
}

type replicaSpec struct {
	Self           string `json:"self"`
	Primary        string `json:"primary"`
	Source         string `json:"source"`
	PromotionToken string `json:"promotionToken,omitempty"`
}

type externalCluster struct {
	Name              string     `json:"name"`
	BarmanObjectStore barmanSpec `json:"barmanObjectStore"`
}

type envVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type storageSpec struct {
	Size         string `json:"size"`
	StorageClass string `json:"storageClass,omitempty"`
}

type affinitySpec struct {
	EnablePodAntiAffinity bool   `json:"enablePodAntiAffinity"`
	PodAntiAffinityType   string `json:"podAntiAffinityType"`
	TopologyKey           string `json:"topologyKey"`
}

type seccompSpec struct {
	Type string `json:"type"`
}

type inheritedMetadata struct {
	Labels map[string]string `json:"labels,omitempty"`
}
