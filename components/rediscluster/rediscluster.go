// Package rediscluster runs a Redis cluster of three leaders and three followers from plain Kubernetes objects, without
// an operator.
//
// # Where the nodes run
//
// The pods of the StatefulSet ai-agent-redis-leader lead the shards, the pod of ai-agent-redis-follower with the same
// number follows. Leaders never share a machine, and follower n never runs on the machine of leader n. So the loss
// of a machine takes at most one leader, and the other leaders are the majority that promotes its follower. The names
// are the roles at the start and the roles to which the cluster returns: after a failover, a leader pod that is in
// sync again takes leadership back without loss.
//
// # Who forms and repairs the cluster
//
// A container "agent" in each pod (scripts/agent.sh) compares the cluster with what it should be every two seconds and
// does what is missing: it forms a new cluster, introduces pods whose addresses changed to each other (all of them
// change when the machines restart), and puts a node with an empty disk into the place of the one that it
// replaces. Follower pods are ready only when the whole cluster is formed and they are in sync, which makes
// `pulumi up` wait for it and a rolling update go on only when the cluster is whole again. The two StatefulSets are
// updated one after the other, so one pod at a time is down. A leader that stops hands over to its follower first.
//
// # What it promises about data
//
// It is a cache and holds counters: everything in it can be computed again, and PostgreSQL keeps what cannot.
// Replication is asynchronous and the append-only file is written to disk each second. The restart of a pod loses
// nothing. The crash of a leader's machine loses the last moments before it that its follower had not received; the
// crash of all machines at once up to about a second. A leader cut off from the others accepts writes for up to
// five more seconds, and those are lost. When memory is full, the least recently used keys go.
//
// # What it leaves to people
//
// The loss of two leaders' machines within seconds of each other (no majority is left to promote; `CLUSTER FAILOVER
// TAKEOVER` on the followers, if the machines do not come back), the loss of both disks of one shard, and a change
// of the number of leaders, which needs slots to be moved with `redis-cli --cluster`. A leader pod waits as long as
// every machine that its disk can move to has another leader or its own follower; deleting that follower's pod lets
// both be scheduled again.
package rediscluster

import (
	"fmt"
	"strconv"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
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
}

// New registers a cluster. It fails with every problem of args before anything is registered.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*RedisCluster, error) {
	args = args.withDefaults()
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("check arguments of Redis cluster %s: %w", name, err)
	}
	cluster := &RedisCluster{Addresses: args.addresses(), Username: Username}
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
	leaders, err := appsv1.NewStatefulSet(ctx, name+"-leader", statefulSet(args, leader, pods), child)
	if err != nil {
		return nil, fmt.Errorf("register leaders: %w", err)
	}
	// Followers come after leaders: the scheduler then knows where each leader is, and an update never touches both.
	_, err = appsv1.NewStatefulSet(ctx, name+"-follower", statefulSet(args, follower, pods), child,
		pulumi.DependsOn([]pulumi.Resource{leaders}))
	if err != nil {
		return nil, fmt.Errorf("register followers: %w", err)
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
		scripts:        scripts.Metadata.Name().Elem(),
		checksum:       checksum(files),
	}, nil
}

// newAccess registers the Services, the disruption budgets and the network policy.
func newAccess(ctx *pulumi.Context, name string, args Args, child pulumi.ResourceOption) error {
	err := kube.NewNetworkPolicy(ctx, name, args.metadata(Name), kube.Selector(Name), ingress(), egress(), child)
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
