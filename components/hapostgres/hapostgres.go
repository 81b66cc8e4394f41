// Package hapostgres runs PostgreSQL as a CloudNativePG cluster: a primary and replicas spread over the
// zones, with synchronous replication, automatic failover and the pgvector extension. The operator must be
// installed.
//
// # Connections
//
// Clients connect through two pools (PgBouncer, in transaction mode): one leads to the primary, the other to the
// replicas. Only migrations and backups connect to the instances. All of it is TLS, and the URLs in the Secrets
// of the clients verify the servers by the authority in the Secret <name>-ca. The pools hold clients for up to
// 30 seconds while there is no primary. Together they open fewer connections than PostgreSQL takes, wherever
// they lead to.
//
// # Passwords
//
// The owner of the tables, ai_agent, logs in nowhere: pg_hba refuses it. The application logs in as one of its
// members, ai_agent_1 or ai_agent_2, which take turns: to change all passwords, raise Settings.PasswordVersion by
// one. The other member gets a new password and the Secrets of the clients are replaced, which rolls them out;
// the pods of before go on with the member and the password that they have. Raise it again to make that
// password invalid too, and not before everything runs with the new one. The role for backups has one password, which
// changes in place: a backup that is about to connect at that moment fails, and its next try has the new one.
//
// The operator makes the roles some seconds after it reports the cluster as ready. Clients have to try again.
//
// # Backups
//
// With a store, the primary archives its write-ahead log (WAL) as it is written, at the latest every five
// minutes (archive_timeout), and a base backup is made when the cluster is new and then by schedule. Any
// moment of the retention time can be restored from the two. docs/failover.md tells how a region is built
// again from them.
//
// The archive is that of the operator itself (barmanObjectStore), which runs Barman inside the instances.
// CloudNativePG 1.28 warns, at each change of a Cluster, that it will go: then the Barman Cloud
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

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const typeToken = "agentstack:components:HaPostgres"

// Database is the name of the application's database and of the role that owns it, as which nobody logs in.
const Database = "ai_agent"

// HaPostgres is a highly available PostgreSQL cluster.
type HaPostgres struct {
	pulumi.ResourceState

	// Cluster is the Cluster object, created when all its instances are ready. What needs the database
	// depends on it, and not on the component: the SDK collects the children of a component while they are
	// being registered.
	Cluster pulumi.Resource
	// Database is the application's, with all keys of its Secret. In a standby it can be read only.
	Database kube.Database
	// BackupDatabase is the same for BackupRole. Its Secret has no read-uri and no direct-uri: its uri leads to the
	// instance itself.
	BackupDatabase kube.Database
	// Passwords are those of the application's roles, for the standbys. They are secret.
	Passwords Passwords
	// URL and ReadURL are where the pools answer inside the Kubernetes cluster, without credentials: the first takes
	// writes, the second leads to the replicas.
	URL, ReadURL string
}

// New registers a cluster and waits until all its instances are ready. Bad arguments register nothing.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*HaPostgres, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("validate arguments of %s: %w", name, err)
	}
	args.Settings = args.withDefaults()
	postgres := &HaPostgres{URL: args.url(poolerRW), ReadURL: args.url(poolerRO)}
	if err := ctx.RegisterComponentResource(typeToken, name, postgres, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	if err := postgres.register(ctx, name, args, pulumi.Parent(postgres)); err != nil {
		return nil, fmt.Errorf("register resources of %s: %w", name, err)
	}
	if err := ctx.RegisterResourceOutputs(postgres, pulumi.Map{
		"url":     pulumi.String(postgres.URL),
		"readUrl": pulumi.String(postgres.ReadURL),
	}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return postgres, nil
}

func (p *HaPostgres) register(ctx *pulumi.Context, name string, args Args, parent pulumi.ResourceOption) error {
	secrets, err := newCredentials(ctx, name, args, parent)
	if err != nil {
		return err
	}
	p.Passwords = secrets.passwords
	p.Database, p.BackupDatabase = args.database(secrets.app), args.database(secrets.backup)
	if err := kube.NewNetworkPolicy(ctx, name, args.metadata(args.Name), args.databasePods(), databaseIngress(args),
		databaseEgress(args), parent); err != nil {
		return err
	}
	metrics, err := newMetrics(ctx, name+"-metrics", args, parent)
	if err != nil {
		return err
	}
	if err := newPools(ctx, name, args, parent); err != nil {
		return err
	}
	// What a cluster was bootstrapped from is history: a standby that has become the primary still says recovery, and
	// a former primary initdb.
	p.Cluster, err = kube.NewCustomResource(ctx, name, clusterResource(args), parent,
		pulumi.IgnoreChanges([]string{"spec.bootstrap"}), pulumi.DependsOn(append(secrets.roles, metrics)))
	if err != nil {
		return err
	}
	after := pulumi.DependsOn([]pulumi.Resource{p.Cluster})
	if args.guarded() {
		if err := newGuard(ctx, name, args, args.database(secrets.guard), parent, after); err != nil {
			return err
		}
	}
	if args.Store == nil {
		return nil
	}
	_, err = kube.NewCustomResource(ctx, name, scheduledBackup(args), parent, after)
	return err
}

// database describes the cluster for the clients with a Secret. The authority is the one that the operator makes.
func (a Args) database(secretName pulumi.StringInput) kube.Database {
	return kube.Database{SecretName: secretName, CASecretName: a.Name + "-ca", Pods: a.pods()}
}

func newMetrics(ctx *pulumi.Context, name string, args Args, parent pulumi.ResourceOption) (*corev1.ConfigMap, error) {
	configMap, err := metricsConfigMap(args)
	if err != nil {
		return nil, fmt.Errorf("render queries of the metrics: %w", err)
	}
	metrics, err := corev1.NewConfigMap(ctx, name, configMap, parent)
	if err != nil {
		return nil, fmt.Errorf("register ConfigMap %s: %w", name, err)
	}
	return metrics, nil
}

// newPools registers the pools. They do not wait for the cluster: the operator does, so that they are there when it is.
func newPools(ctx *pulumi.Context, name string, args Args, parent pulumi.ResourceOption) error {
	if err := kube.NewNetworkPolicy(ctx, name+"-pooler", args.metadata(args.Name+"-pooler"), args.poolerPods(),
		poolerIngress(), poolerEgress(args), parent); err != nil {
		return err
	}
	for _, pool := range pools {
		if _, err := kube.NewCustomResource(ctx, name+pool, pooler(args, pool), parent); err != nil {
			return err
		}
		// The operator makes budgets for instances only.
		budget := kube.OneAtATime(args.metadata(args.Name+pool), map[string]string{labelPooler: args.Name + pool})
		if _, err := policyv1.NewPodDisruptionBudget(ctx, name+pool, budget, parent); err != nil {
			return fmt.Errorf("register PodDisruptionBudget %s: %w", name+pool, err)
		}
	}
	return nil
}
