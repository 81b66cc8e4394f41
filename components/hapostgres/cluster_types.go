package hapostgres

import "agentstack/internal/kube"

// clusterSpec holds the fields of a CloudNativePG Cluster (postgresql.cnpg.io/v1) that this program sets.
// https://cloudnative-pg.io/documentation/1.28/cloudnative-pg.v1/#clusterspec
type clusterSpec struct {
	Instances                 int                        `json:"instances"`
	ImageName                 string                     `json:"imageName"`
	PrimaryUpdateStrategy     string                     `json:"primaryUpdateStrategy"`
	PrimaryUpdateMethod       string                     `json:"primaryUpdateMethod"`
	EnableSuperuserAccess     bool                       `json:"enableSuperuserAccess"`
	EnablePDB                 bool                       `json:"enablePDB"`
	NodeMaintenanceWindow     *maintenanceSpec           `json:"nodeMaintenanceWindow,omitempty"`
	SmartShutdownTimeout      int                        `json:"smartShutdownTimeout"`
	StopDelay                 int                        `json:"stopDelay"`
	SwitchoverDelay           int                        `json:"switchoverDelay"`
	PostgreSQL                postgresqlSpec             `json:"postgresql"`
	ReplicationSlots          replicationSlotsSpec       `json:"replicationSlots"`
	Bootstrap                 bootstrapSpec              `json:"bootstrap"`
	Managed                   managedSpec                `json:"managed"`
	Certificates              certificatesSpec           `json:"certificates"`
	Monitoring                monitoringSpec             `json:"monitoring"`
	Backup                    *backupSpec                `json:"backup,omitempty"`
	Replica                   *replicaSpec               `json:"replica,omitempty"`
	ExternalClusters          []externalCluster          `json:"externalClusters,omitempty"`
	Env                       []envVar                   `json:"env,omitempty"`
	Storage                   storageSpec                `json:"storage"`
	WALStorage                storageSpec                `json:"walStorage"`
	Resources                 kube.Resources             `json:"resources"`
	Probes                    probesSpec                 `json:"probes"`
	Affinity                  affinitySpec               `json:"affinity"`
	TopologySpreadConstraints []topologySpreadConstraint `json:"topologySpreadConstraints"`
	SeccompProfile            seccompSpec                `json:"seccompProfile"`
	InheritedMetadata         inheritedMetadata          `json:"inheritedMetadata"`
}

type probesSpec struct {
	Readiness readinessSpec `json:"readiness"`
	Liveness  livenessSpec  `json:"liveness"`
}

type readinessSpec struct {
	PeriodSeconds    int `json:"periodSeconds"`
	TimeoutSeconds   int `json:"timeoutSeconds"`
	FailureThreshold int `json:"failureThreshold"`
}

type livenessSpec struct {
	TerminationGracePeriodSeconds int `json:"terminationGracePeriodSeconds"`
}

type maintenanceSpec struct {
	InProgress bool `json:"inProgress"`
	ReusePVC   bool `json:"reusePVC"`
}

type postgresqlSpec struct {
	Parameters  map[string]string `json:"parameters"`
	PgHBA       []string          `json:"pg_hba"`
	Synchronous *synchronousSpec  `json:"synchronous,omitempty"`
}

type replicationSlotsSpec struct {
	HighAvailability highAvailabilitySpec `json:"highAvailability"`
}

type highAvailabilitySpec struct {
	Enabled bool `json:"enabled"`
}

type certificatesSpec struct {
	ServerAltDNSNames []string `json:"serverAltDNSNames"`
}

type monitoringSpec struct {
	CustomQueriesConfigMap []objectKey `json:"customQueriesConfigMap"`
}

type objectKey struct {
	Name string `json:"name"`
	Key  string `json:"key"`
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
	Database               string   `json:"database"`
	Owner                  string   `json:"owner"`
	PostInitApplicationSQL []string `json:"postInitApplicationSQL,omitempty"`
	PostInitTemplateSQL    []string `json:"postInitTemplateSQL,omitempty"`
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
	Inherit        bool            `json:"inherit"`
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
	Size               string `json:"size"`
	StorageClass       string `json:"storageClass,omitempty"`
	ResizeInUseVolumes bool   `json:"resizeInUseVolumes"`
}

type affinitySpec struct {
	EnablePodAntiAffinity bool   `json:"enablePodAntiAffinity"`
	PodAntiAffinityType   string `json:"podAntiAffinityType"`
	TopologyKey           string `json:"topologyKey"`
}

// topologySpreadConstraint is the one of Kubernetes.
type topologySpreadConstraint struct {
	MaxSkew           int           `json:"maxSkew"`
	TopologyKey       string        `json:"topologyKey"`
	WhenUnsatisfiable string        `json:"whenUnsatisfiable"`
	LabelSelector     labelSelector `json:"labelSelector"`
	MatchLabelKeys    []string      `json:"matchLabelKeys,omitempty"`
}

type labelSelector struct {
	MatchLabels map[string]string `json:"matchLabels"`
}

type seccompSpec struct {
	Type string `json:"type"`
}

type inheritedMetadata struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}
