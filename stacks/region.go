package stacks

import (
	"cmp"
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/apiservice"
	"agentstack/components/backupjob"
	"agentstack/components/hapostgres"
	"agentstack/components/monitoring"
	"agentstack/components/multiregion"
	"agentstack/components/rediscluster"
	"agentstack/internal/kube"
)

// The namespaces of a region.
const (
	namespace           = "ai-agent"
	monitoringNamespace = "monitoring"
	// nodeNamespace is for the pods that watch the machines, and need to see them.
	nodeNamespace = "monitoring-node"
)

// Levels of the Pod Security Standards. https://kubernetes.io/docs/concepts/security/pod-security-standards/
const (
	levelRestricted = "restricted"
	levelPrivileged = "privileged"
)

// deployment deploys into one region after the other, the primary one first.
type deployment struct {
	config Config
	images images
	// primaries are the primary region's databases by their names, which those of other regions are copies of.
	primaries map[string]*hapostgres.HaPostgres
	// primaryAPI is the primary region's API, whose credentials the others have too.
	primaryAPI *apiservice.ApiService
}

// region registers what one region runs.
func (d *deployment) region(ctx *pulumi.Context, target multiregion.Target, parent pulumi.ResourceOption,
) (multiregion.Deployment, error) {
	spaces, err := newNamespaces(ctx, target.Region, parent)
	if err != nil {
		return multiregion.Deployment{}, err
	}
	data, err := d.newData(ctx, target, parent, pulumi.DependsOn([]pulumi.Resource{spaces[namespace]}))
	if err != nil {
		return multiregion.Deployment{}, err
	}
	api, err := d.newAPI(ctx, target, data, parent)
	if err != nil {
		return multiregion.Deployment{}, err
	}
	if err := d.newBackups(ctx, target, data, parent); err != nil {
		return multiregion.Deployment{}, err
	}
	watch, err := monitoring.New(ctx, "monitoring-"+target.Region, monitoring.Args{
		Namespace:     monitoringNamespace,
		NodeNamespace: nodeNamespace,
		AppNamespace:  namespace,
		EdgeNamespace: kube.EdgeNamespace,
		Region:        target.Region,
		Environment:   d.config.Environment,
		AlertWebhook:  d.config.secrets.alertWebhookURL,
		LogStore:      target.Store,
		Settings:      d.config.Monitoring,
	}, parent, pulumi.DependsOn([]pulumi.Resource{
		spaces[namespace], spaces[monitoringNamespace], spaces[nodeNamespace],
	}))
	if err != nil {
		return multiregion.Deployment{}, err
	}
	host := cmp.Or(target.RegionHost, d.config.Edge.Host)
	deployed := multiregion.Deployment{Outputs: pulumi.Map{
		"url":        pulumi.String("https://" + host),
		"ca":         api.CA,
		"namespace":  pulumi.String(api.Namespace),
		"service":    pulumi.String(api.ServiceName),
		"database":   pulumi.String(data.postgres.URL),
		"databaseRO": pulumi.String(data.postgres.ReadURL),
		"prometheus": pulumi.String(watch.PrometheusURL),
	}}
	if target.CertificateARN != nil {
		deployed.Hostname = api.Hostname
	}
	return deployed, nil
}

// data is what the API of a region keeps its data in.
type data struct {
	postgres *hapostgres.HaPostgres
	redis    *rediscluster.RedisCluster
	store    *kube.ObjectStore
}

func (d *deployment) newData(ctx *pulumi.Context, target multiregion.Target, opts ...pulumi.ResourceOption,
) (data, error) {
	store := target.Store
	if store == nil {
		gateway, err := newObjectStoreGateway(ctx, gatewayName+"-"+target.Region, target.Region,
			d.config.ObjectStore.withDefaults(), d.config.Postgres.names(), opts...)
		if err != nil {
			return data{}, err
		}
		store, opts = gateway.store, append(opts, pulumi.DependsOn([]pulumi.Resource{gateway.service}))
	}
	postgres, err := d.newDatabases(ctx, target, store, opts...)
	if err != nil {
		return data{}, err
	}
	redis, err := rediscluster.New(ctx, "ai-agent-redis-"+target.Region, d.config.redisArgs(target.Region), opts...)
	if err != nil {
		return data{}, err
	}
	return data{postgres: postgres, redis: redis, store: store}, nil
}

// newDatabases registers the region's database, and the one that is recovered from it, if any. It returns the one that
// serves.
func (d *deployment) newDatabases(ctx *pulumi.Context, target multiregion.Target, store *kube.ObjectStore,
	opts ...pulumi.ResourceOption,
) (*hapostgres.HaPostgres, error) {
	config := d.config.Postgres
	postgres, err := d.newDatabase(ctx, target, hapostgres.Args{Store: store, Settings: config.Settings}, opts...)
	if err != nil || config.Recovery == nil {
		return postgres, err
	}
	args := hapostgres.Args{
		Store:    store,
		Settings: config.Settings,
		Recovery: &hapostgres.Recovery{From: config.ClusterName(), TargetTime: config.Recovery.TargetTime},
	}
	args.Name = config.Recovery.Name
	recovered, err := d.newDatabase(ctx, target, args,
		append(opts, pulumi.DependsOn([]pulumi.Resource{postgres.Cluster}))...)
	if err != nil || !config.Recovery.Serve {
		return postgres, err
	}
	return recovered, nil
}

// newDatabase registers a database that takes writes, or, outside the primary region, a copy of the one there.
func (d *deployment) newDatabase(ctx *pulumi.Context, target multiregion.Target, args hapostgres.Args,
	opts ...pulumi.ResourceOption,
) (*hapostgres.HaPostgres, error) {
	name := args.ClusterName()
	args.Namespace, args.Region, args.GuardImage = namespace, target.Region, target.Image(d.images.api)
	if !target.Primary {
		primary := d.primaries[name]
		args.Standby = &hapostgres.Standby{PrimaryRegion: d.config.PrimaryRegion, Store: *target.PrimaryStore}
		args.Passwords, args.Recovery = &primary.Passwords, nil
		opts = append(opts, pulumi.DependsOn([]pulumi.Resource{primary.Cluster}))
	}
	postgres, err := hapostgres.New(ctx, name+"-"+target.Region, args, opts...)
	if err == nil && target.Primary {
		d.primaries[name] = postgres
	}
	return postgres, err
}

func (d *deployment) newAPI(ctx *pulumi.Context, target multiregion.Target, data data, parent pulumi.ResourceOption,
) (*apiservice.ApiService, error) {
	afterData := pulumi.DependsOn([]pulumi.Resource{data.postgres.Cluster})
	models, err := d.newModels(ctx, target.Region, parent, afterData)
	if err != nil {
		return nil, err
	}
	args := apiservice.Args{
		Namespace:   namespace,
		Region:      target.Region,
		Environment: d.config.Environment,
		Image:       target.Image(d.images.api),
		Standby:     !target.Primary,
		Database:    data.postgres.Database,
		Redis: apiservice.Redis{
			Addresses:     data.redis.Addresses,
			Username:      data.redis.Username,
			SecretName:    data.redis.SecretName,
			TLSSecretName: data.redis.TLSSecretName,
		},
		Models:       models,
		ProviderKeys: d.config.secrets.providerKeys,
		JWTKeys:      d.config.secrets.jwtKeys,
		SignupToken:  d.config.secrets.signupToken,
		Edge:         d.config.edge(target),
		Settings:     d.config.API,
	}
	opts := []pulumi.ResourceOption{parent, afterData}
	if !target.Primary {
		args.JWTKeys, args.SignupToken = d.primaryAPI.JWTKeys, d.primaryAPI.SignupToken
		// An image that the primary region's canary refuses goes nowhere else.
		opts = append(opts, pulumi.DependsOn([]pulumi.Resource{d.primaryAPI}))
	}
	api, err := apiservice.New(ctx, appName+"-"+target.Region, args, opts...)
	if target.Primary {
		d.primaryAPI = api
	}
	return api, err
}

// newModels returns the configured models, or deploys the server with scripted answers.
func (d *deployment) newModels(ctx *pulumi.Context, region string, opts ...pulumi.ResourceOption,
) (apiservice.Models, error) {
	if !d.config.Models.Mock {
		return d.config.Models.Models, nil
	}
	mock, err := newMockModel(ctx, mockName+"-"+region, mockModelArgs{
		Namespace: namespace,
		Region:    region,
		Image:     d.images.mock,
	}, opts...)
	if err != nil {
		return apiservice.Models{}, err
	}
	return mock.Models, nil
}

// newBackups backs up where the database is written: the copies elsewhere hold the same.
func (d *deployment) newBackups(ctx *pulumi.Context, target multiregion.Target, data data, parent pulumi.ResourceOption,
) error {
	if !target.Primary {
		return nil
	}
	_, err := backupjob.New(ctx, "ai-agent-backup-"+target.Region, backupjob.Args{
		Namespace:     namespace,
		Region:        target.Region,
		Image:         target.Image(d.images.api),
		PostgresImage: d.config.Postgres.ImageName(),
		Database:      data.postgres.BackupDatabase,
		Store:         *data.store,
		Settings:      d.config.Backup,
	}, parent, pulumi.DependsOn([]pulumi.Resource{data.postgres.Cluster}))
	return err
}

// newNamespaces registers the namespaces of a region, in each of which all traffic is refused that no other policy
// lets through.
func newNamespaces(ctx *pulumi.Context, region string, parent pulumi.ResourceOption,
) (map[string]*corev1.Namespace, error) {
	spaces := map[string]*corev1.Namespace{}
	for _, name := range []string{namespace, monitoringNamespace, nodeNamespace} {
		level := levelRestricted
		if name == nodeNamespace {
			level = levelPrivileged
		}
		space, err := corev1.NewNamespace(ctx, name+"-"+region, namespaceArgs(name, level, region), parent)
		if err != nil {
			return nil, fmt.Errorf("register Namespace %s: %w", name, err)
		}
		spaces[name] = space
		deny := kube.Metadata{Name: "default-deny", Namespace: name, Labels: kube.Labels(name, "namespace", region)}
		if err := kube.NewNetworkPolicy(ctx, name+"-default-deny-"+region, deny, nil, nil, nil, parent,
			pulumi.DependsOn([]pulumi.Resource{space})); err != nil {
			return nil, err
		}
	}
	return spaces, nil
}

// namespaceArgs describes a namespace in which only pods that satisfy a level of the Pod Security Standards start.
func namespaceArgs(name, level, region string) *corev1.NamespaceArgs {
	labels := kube.Merge(kube.Labels(name, "namespace", region), map[string]string{
		"pod-security.kubernetes.io/enforce": level,
		"pod-security.kubernetes.io/audit":   level,
		"pod-security.kubernetes.io/warn":    level,
	})
	return &corev1.NamespaceArgs{Metadata: kube.Metadata{Name: name, Labels: labels}.Args()}
}
