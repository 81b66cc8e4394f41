// Package hapostgres runs PostgreSQL as a CloudNativePG cluster: a primary and replicas spread over the
// zones, with synchronous replication, automatic failover and the pgvector extension. The operator must be
// installed.
//
// # Backups
//
// With a store, the primary archives its write-ahead log (WAL) as it is written, at the latest every five
// minutes (archive_timeout), and a base backup is made when the cluster is new and then by schedule. Any
// moment of the retention time can be restored from the two. docs/failover.md tells how a region is built
// again from them.
//
// The archive is that of the operator itself (barmanObjectStore), which runs Barman inside the instances.
// CloudNativePG 1.28 warns, at each change of a Cluster, that 1.29 will have it no more: then the Barman Cloud
// Plugin takes its place, a second operator with sidecars and certificates of its own. The archive has the
// same form in both, so that will be a change of the specification and not of the data.
//
// # When the store cannot be reached
//
// Commits go on: archiving never blocks them. But PostgreSQL keeps each WAL segment until it is archived, so
// the volume for the WAL fills (Storage.WALSize; 5Gi are 320 segments), and when it is full PostgreSQL stops.
// Planned stops of the primary wait for the archive too, up to a minute. The state to alert on, long before
// that, is cnpg_pg_stat_archiver_last_failed_time later than cnpg_pg_stat_archiver_last_archived_time; how
// much waits is cnpg_collector_pg_wal_archive_status{value="ready"}. When the store is back, everything is
// archived without anyone's help.
//
// # Regions
//
// One region's cluster takes the writes. The others replay its archive, so they are behind by up to the five
// minutes above when there is little to write, and have no connection to it that could hold it up. Each
// archives to a store of its own. docs/failover.md tells how they change roles.
package hapostgres

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const typeToken = "agentstack:components:HaPostgres"

// Database is the name of the application's database and of the role that owns it.
const Database = "ai_agent"

const clusterName = "ai-agent-db"

// BackupRole is the name of the role for logical backups and restores.
const BackupRole = "ai_agent_backup"

// HaPostgres is a highly available PostgreSQL cluster.
type HaPostgres struct {
	pulumi.ResourceState

	// Cluster is the Cluster object, created when all its instances are ready. What needs the database
	// depends on it, and not on the component: the SDK collects the children of a component while they are
	// being registered.
	Cluster pulumi.Resource
	// SecretName is the Secret with the owner's credentials: keys username, password, host, port, dbname and uri, a
	// URL to the instance that takes writes, or, in a standby, to one that can be read.
	SecretName pulumi.StringOutput
	// BackupSecretName is the Secret with the credentials of BackupRole, with the same keys.
	BackupSecretName pulumi.StringOutput
	// AppPassword is the owner's password, for the standbys. It is secret.
	AppPassword pulumi.StringOutput
}

// New registers a cluster and waits until all its instances are ready. Bad arguments register nothing.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*HaPostgres, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("validate arguments of %s: %w", name, err)
	}
	args.Settings = args.withDefaults()
	postgres := &HaPostgres{}
	if err := ctx.RegisterComponentResource(typeToken, name, postgres, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	if err := postgres.register(ctx, name, args, pulumi.Parent(postgres)); err != nil {
		return nil, fmt.Errorf("register resources of %s: %w", name, err)
	}
	if err := ctx.RegisterResourceOutputs(postgres, pulumi.Map{
		"secretName":       postgres.SecretName,
		"backupSecretName": postgres.BackupSecretName,
	}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return postgres, nil
}

func (p *HaPostgres) register(ctx *pulumi.Context, name string, args Args, parent pulumi.ResourceOption) error {
	app, err := newCredentials(ctx, name+"-app", args, Database, ownerSecret, args.AppPassword, parent)
	if err != nil {
		return err
	}
	backup, err := newCredentials(ctx, name+"-backup", args, BackupRole, backupSecret, nil, parent)
	if err != nil {
		return err
	}
	p.SecretName, p.BackupSecretName, p.AppPassword = app.client, backup.client, app.password
	if err := kube.NewNetworkPolicy(ctx, name, args.metadata(clusterName), instances, ingress(), egress(args),
		parent); err != nil {
		return err
	}
	// What a cluster was bootstrapped from is history: a standby that has become the primary still says recovery, and
	// a former primary initdb.
	p.Cluster, err = kube.NewCustomResource(ctx, name, clusterResource(args), parent,
		pulumi.IgnoreChanges([]string{"spec.bootstrap"}), pulumi.DependsOn([]pulumi.Resource{app.role, backup.role}))
	if err != nil || args.Store == nil {
		return err
	}
	_, err = kube.NewCustomResource(ctx, name, scheduledBackup(args), parent,
		pulumi.DependsOn([]pulumi.Resource{p.Cluster}))
	return err
}
