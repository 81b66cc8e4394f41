package rediscluster

import (
	"fmt"
	"strconv"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// Name is the name of the Kubernetes objects, alone or followed by a role: one cluster per namespace.
const Name = "ai-agent-redis"

// Username is the Redis user of the application.
const Username = "ai-agent"

// PasswordKey is the key of the password in the Secret SecretName.
const PasswordKey = "password"

// RedisCluster is a running, complete cluster.
type RedisCluster struct {
	pulumi.ResourceState

	// Addresses are host:port of every node, by DNS names that survive the pods.
	Addresses []string
	// Username is the user that applications connect as.
	Username string
	// SecretName is the name of the Secret that has the password of Username under PasswordKey.
	SecretName pulumi.StringOutput
	// TLSSecretName is the name of the Secret whose key ca.crt has the authority of the nodes' certificates. Empty:
	// they speak no TLS.
	TLSSecretName string
}

// New registers a cluster. It fails with every problem of args before anything is registered.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*RedisCluster, error) {
	args = args.withDefaults()
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("check arguments of Redis cluster %s: %w", name, err)
	}
	cluster := &RedisCluster{Addresses: args.addresses(), Username: Username, TLSSecretName: args.TLSSecretName}
	if err := ctx.RegisterComponentResource("agentstack:components:RedisCluster", name, cluster, opts...); err != nil {
		return nil, fmt.Errorf("register Redis cluster %s: %w", name, err)
	}
	child := pulumi.Parent(cluster)
	pods, err := newPodParts(ctx, name, args, child)
	if err != nil {
		return nil, err
	}
	cluster.SecretName = pods.appSecret
	if err := newAccess(ctx, name, args, child); err != nil {
		return nil, err
	}
	if err := newNodes(ctx, name, args, pods, child); err != nil {
		return nil, err
	}
	err = ctx.RegisterResourceOutputs(cluster, pulumi.Map{
		"addresses":  pulumi.ToStringArray(cluster.Addresses),
		"username":   pulumi.String(cluster.Username),
		"secretName": cluster.SecretName,
	})
	if err != nil {
		return nil, fmt.Errorf("register outputs of Redis cluster %s: %w", name, err)
	}
	return cluster, nil
}

// newNodes registers the StatefulSets and, around them, the Jobs that move slots when the number of leaders changes.
// Each waits for the one before. Followers come after leaders: the scheduler then knows where each leader is, and an
// update takes one pod of the cluster at a time.
func newNodes(ctx *pulumi.Context, name string, args Args, pods podParts, child pulumi.ResourceOption) error {
	drain, err := batchv1.NewJob(ctx, name+"-drain", reshardJob(args, "drain", pods), child,
		pulumi.DependsOn([]pulumi.Resource{pods.scripts}))
	if err != nil {
		return fmt.Errorf("register Job that takes slots from leaders: %w", err)
	}
	var last pulumi.Resource = drain
	for _, r := range append([]role{leader}, args.followers()...) {
		last, err = appsv1.NewStatefulSet(ctx, name+"-"+string(r), statefulSet(args, r, pods), child,
			pulumi.DependsOn([]pulumi.Resource{last}))
		if err != nil {
			return fmt.Errorf("register pods with the role %s: %w", r, err)
		}
	}
	marker, err := corev1.NewConfigMap(ctx, name+"-formed", formedArgs(args), child,
		pulumi.DependsOn([]pulumi.Resource{last}))
	if err != nil {
		return fmt.Errorf("register number of leaders: %w", err)
	}
	_, err = batchv1.NewJob(ctx, name+"-rebalance", reshardJob(args, "rebalance", pods), child,
		pulumi.DependsOn([]pulumi.Resource{marker}))
	if err != nil {
		return fmt.Errorf("register Job that gives slots to leaders: %w", err)
	}
	return nil
}

// newPodParts registers what the pods refer to: the passwords and the scripts.
func newPodParts(ctx *pulumi.Context, name string, args Args, child pulumi.ResourceOption) (podParts, error) {
	app, err := kube.NewGeneratedSecret(ctx, name, args.metadata(Name), PasswordKey, child)
	if err != nil {
		return podParts{}, err
	}
	operator, err := kube.NewGeneratedSecret(ctx, name+"-operator", args.metadata(Name+"-operator"), PasswordKey, child)
	if err != nil {
		return podParts{}, err
	}
	exporter, err := kube.NewGeneratedSecret(ctx, name+"-exporter", args.metadata(Name+"-exporter"), PasswordKey, child)
	if err != nil {
		return podParts{}, err
	}
	files, err := scriptFiles()
	if err != nil {
		return podParts{}, err
	}
	scripts, err := corev1.NewConfigMap(ctx, name, configMap(args, files), child)
	if err != nil {
		return podParts{}, fmt.Errorf("register scripts: %w", err)
	}
	return podParts{
		appSecret:      app.Metadata.Name().Elem(),
		operatorSecret: operator.Metadata.Name().Elem(),
		exporterSecret: exporter.Metadata.Name().Elem(),
		scripts:        scripts,
		checksum:       checksum(files),
	}, nil
}

// newAccess registers the Services, the disruption budgets and the network policy.
func newAccess(ctx *pulumi.Context, name string, args Args, child pulumi.ResourceOption) error {
	err := kube.NewNetworkPolicy(ctx, name, args.metadata(Name), kube.Selector(Name), ingress(), egress(), child)
	if err != nil {
		return err
	}
	err = kube.NewNetworkPolicy(ctx, name+"-reshard", args.metadata(reshard), kube.Selector(reshard), nil,
		reshardEgress(), child)
	if err != nil {
		return err
	}
	if _, err := corev1.NewService(ctx, name, service(args), child); err != nil {
		return fmt.Errorf("register Service: %w", err)
	}
	if _, err := corev1.NewService(ctx, name+"-headless", headlessService(args), child); err != nil {
		return fmt.Errorf("register headless Service: %w", err)
	}
	for index := range args.Leaders {
		shard := strconv.Itoa(index)
		_, err := policyv1.NewPodDisruptionBudget(ctx, name+"-"+shard, disruptionBudget(args, shard), child)
		if err != nil {
			return fmt.Errorf("register disruption budget of shard %s: %w", shard, err)
		}
	}
	return nil
}
