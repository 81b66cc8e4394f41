package hapostgres

import (
	"fmt"

	"agentstack/internal/kube"
)

// Seconds that bound how long a planned stop of the primary keeps writers waiting.
const (
	// A smart shutdown refuses new sessions and waits for the open ones, which a pool never closes: skip it
	// and go straight to the fast one, which still sends all WAL to the replicas.
	smartShutdownTimeout = 0
	// An instance that has not stopped in this time is killed and recovers from its WAL at the next start.
	stopDelay = 60
	// A primary that has not stopped in this time during a switchover is stopped at once; what it has
	// acknowledged is on a synchronous replica.
	switchoverDelay = 60
)

const (
	apiGroup   = "postgresql.cnpg.io"
	apiVersion = apiGroup + "/v1"
)

func (a Args) metadata(name string) kube.Metadata {
	return kube.Metadata{
		Name:      name,
		Namespace: a.Namespace,
		Labels:    kube.Labels(a.Name, "database", a.Region),
	}
}

func clusterResource(args Args) kube.CustomResource[clusterSpec] {
	metadata := args.metadata(args.Name)
	metadata.Annotations = kube.WaitForReady
	return kube.CustomResource[clusterSpec]{
		APIVersion: apiVersion,
		Kind:       "Cluster",
		Metadata:   metadata,
		Spec:       newClusterSpec(args),
		References: storeReferences(args),
	}
}

func newClusterSpec(args Args) clusterSpec {
	return clusterSpec{
		Instances:             args.Instances,
		ImageName:             args.Image,
		PrimaryUpdateStrategy: "unsupervised",
		PrimaryUpdateMethod:   "switchover",
		EnableSuperuserAccess: false,
		EnablePDB:             true,
		NodeMaintenanceWindow: newMaintenanceSpec(args),
		SmartShutdownTimeout:  smartShutdownTimeout,
		StopDelay:             stopDelay,
		SwitchoverDelay:       switchoverDelay,
		PostgreSQL: postgresqlSpec{
			Parameters:  postgresParameters(args.Settings),
			PgHBA:       hostRules,
			Synchronous: newSynchronousSpec(args),
		},
		// A replica that was away goes on from the primary's own WAL, within max_slot_wal_keep_size.
		ReplicationSlots: replicationSlotsSpec{HighAvailability: highAvailabilitySpec{Enabled: true}},
		Bootstrap:        newBootstrapSpec(args),
		Managed:          managedSpec{Roles: newRoles(args)},
		Certificates:     certificatesSpec{ServerAltDNSNames: poolerDNSNames(args)},
		Monitoring:       newMonitoringSpec(args),
		Backup:           newBackupSpec(args),
		Replica:          newReplicaSpec(args),
		ExternalClusters: newExternalClusters(args),
		Env:              storeEnv(args),
		Storage:          newStorageSpec(args.Storage.Class, args.Storage.Size),
		WALStorage:       newStorageSpec(args.Storage.Class, args.Storage.WALSize),
		Resources:        args.Resources,
		Probes:           probes,
		Affinity: affinitySpec{
			EnablePodAntiAffinity: true,
			PodAntiAffinityType:   "preferred",
			TopologyKey:           kube.LabelZone,
		},
		TopologySpreadConstraints: []topologySpreadConstraint{
			spread(kube.LabelZone, args.instancePods()), spread(kube.LabelHost, args.instancePods()),
		},
		SeccompProfile: seccompSpec{Type: "RuntimeDefault"},
		// The operator sets the app.kubernetes.io labels of what it makes itself.
		InheritedMetadata: inheritedMetadata{Labels: args.inheritedLabels(), Annotations: scrape(metricsPort)},
	}
}

// probes keep a primary that is cut off from leaving another history behind. It stops by itself after 30 seconds alone,
// and waits in vain for its archive; when it is back within that time, it archives what no replica has, and a replica
// that takes that from the archive can no longer follow the next primary, and yet may be taken for the one that has the
// most. So the operator is told after 15 seconds, and not after 35, of a primary that does not answer, and one that
// stops since it is alone has 10 seconds for that, and not stopDelay. The guard is faster, and fences such a replica;
// but a cluster need not have one.
var probes = probesSpec{
	Readiness: readinessSpec{PeriodSeconds: 5, TimeoutSeconds: 5, FailureThreshold: 2},
	Liveness:  livenessSpec{TerminationGracePeriodSeconds: 10},
}

// hostRules are who may connect from where. They come after the operator's own, which let in its replicas and pools by
// certificate, and leave nothing to its last rule, which would let in passwords without TLS. The owner of the tables
// has members that log in, and does not itself.
var hostRules = []string{
	"hostssl all " + Database + " all reject",
	"hostssl all all all scram-sha-256",
	"hostnossl all all all reject",
}

// newMaintenanceSpec returns nil outside of maintenance: the operator warns of every window, even of a closed one.
func newMaintenanceSpec(args Args) *maintenanceSpec {
	if !args.Maintenance {
		return nil
	}
	return &maintenanceSpec{InProgress: true, ReusePVC: true}
}

func newStorageSpec(class, size string) storageSpec {
	return storageSpec{Size: size, StorageClass: class, ResizeInUseVolumes: true}
}

func newMonitoringSpec(args Args) monitoringSpec {
	return monitoringSpec{CustomQueriesConfigMap: []objectKey{{Name: args.metricsName(), Key: queriesKey}}}
}

// spread keeps pods evenly over a topology. It prefers, and does not demand: with a zone lost, the pods run in the
// zones that are left.
func spread(topologyKey string, pods map[string]string) topologySpreadConstraint {
	return topologySpreadConstraint{
		MaxSkew:           1,
		TopologyKey:       topologyKey,
		WhenUnsatisfiable: "ScheduleAnyway",
		LabelSelector:     labelSelector{MatchLabels: pods},
	}
}

func (a Args) inheritedLabels() map[string]string {
	return map[string]string{kube.LabelRegion: a.Region, kube.LabelPartOf: kube.PartOf}
}

// scrape are the annotations of pods whose port has metrics.
func scrape(port int) map[string]string {
	return map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": fmt.Sprint(port)}
}

// newSynchronousSpec returns nil for a cluster without replicas. With DurabilityRequired the operator
// promotes a replica only when it can prove, from the replicas that it reaches, that none of the confirmed
// commits is missing.
func newSynchronousSpec(args Args) *synchronousSpec {
	if args.SynchronousReplicas == 0 {
		return nil
	}
	return &synchronousSpec{
		Method:         "any",
		Number:         args.SynchronousReplicas,
		DataDurability: args.DataDurability,
		FailoverQuorum: args.DataDurability == DurabilityRequired,
	}
}
