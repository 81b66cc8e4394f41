package hapostgres

import "agentstack/internal/kube"

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

const apiVersion = "postgresql.cnpg.io/v1"

func (a Args) metadata(name string) kube.Metadata {
	return kube.Metadata{
		Name:      name,
		Namespace: a.Namespace,
		Labels:    kube.Labels(clusterName, "database", a.Region),
	}
}

func clusterResource(args Args) kube.CustomResource[clusterSpec] {
	metadata := args.metadata(clusterName)
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
		SmartShutdownTimeout:  smartShutdownTimeout,
		StopDelay:             stopDelay,
		SwitchoverDelay:       switchoverDelay,
		PostgreSQL:            postgresqlSpec{Parameters: args.Parameters, Synchronous: newSynchronousSpec(args)},
		Bootstrap:             newBootstrapSpec(args),
		Managed:               managedSpec{Roles: []roleSpec{backupRole}},
		Backup:                newBackupSpec(args),
		Replica:               newReplicaSpec(args),
		ExternalClusters:      newExternalClusters(args),
		Env:                   storeEnv(args),
		Storage:               storageSpec{Size: args.Storage.Size, StorageClass: args.Storage.Class},
		WALStorage:            storageSpec{Size: args.Storage.WALSize, StorageClass: args.Storage.Class},
		Resources:             args.Resources,
		Affinity: affinitySpec{
			EnablePodAntiAffinity: true,
			PodAntiAffinityType:   "preferred",
			TopologyKey:           kube.LabelZone,
		},
		SeccompProfile: seccompSpec{Type: "RuntimeDefault"},
		// The operator sets the app.kubernetes.io labels of what it makes itself.
		InheritedMetadata: inheritedMetadata{Labels: map[string]string{
			kube.LabelRegion: args.Region,
			kube.LabelPartOf: kube.PartOf,
		}},
	}
}

// backupRole reads everything, past row-level security, and makes databases to restore into. As a member of the
// application's role it can give those to it.
var backupRole = roleSpec{
	Name:           BackupRole,
	Ensure:         "present",
	Comment:        "logical backups and restores",
	Login:          true,
	CreateDB:       true,
	BypassRLS:      true,
	InRoles:        []string{"pg_read_all_data", Database},
	PasswordSecret: objectReference{Name: backupSecret},
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
