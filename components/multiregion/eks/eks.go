// Package eks makes a Kubernetes cluster on AWS that has all that the program's workloads count on: nodes in three
// zones, network policies, volumes, load balancers, identities for pods, metrics, and the PostgreSQL operator.
package eks

import (
	"fmt"

	awseks "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/multiregion/internal/cloud"
	"agentstack/components/multiregion/network"
)

const typeToken = "agentstack:components:EksCluster"

// APINodeType is the value of the label and the taint node-type on the nodes for the API.
const APINodeType = "ai-agent"

// Args configures a cluster.
type Args struct {
	cloud.Scope
	Settings

	// Identities are what pods may do in AWS.
	Identities []Identity
}

// Cluster is a cluster with its nodes.
type Cluster struct {
	pulumi.ResourceState

	// Provider talks to the cluster. What is made with it waits for nodes.
	Provider *kubernetes.Provider
	// Ready are what workloads depend on, beyond nodes: volumes, operators and the identities of pods.
	Ready []pulumi.Resource
}

// Validate reports every problem of the arguments, each led by the path of its field below path.
func (a Args) Validate(path *field.Path) field.ErrorList {
	problems := a.Settings.Validate(path)
	if a.Region == "" {
		problems = append(problems, field.Required(path.Child("region"), "give the name of the region"))
	}
	if a.Environment == "" {
		problems = append(problems, field.Required(path.Child("environment"), "give the name of the environment"))
	}
	return problems
}

// Name returns the name of the cluster in AWS.
func Name(scope cloud.Scope) string { return "ai-agent-" + scope.Environment + "-" + scope.Region }

// New registers a cluster in a network of its own. Bad arguments register nothing.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Cluster, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("validate arguments of %s: %w", name, err)
	}
	args.Settings = args.withDefaults()
	cluster := &Cluster{}
	if err := ctx.RegisterComponentResource(typeToken, name, cluster, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args, parent: pulumi.Parent(cluster)}
	if err := b.build(cluster); err != nil {
		return nil, err
	}
	if err := ctx.RegisterResourceOutputs(cluster, pulumi.Map{
		"name":     b.cluster.Name,
		"endpoint": b.cluster.Endpoint,
	}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return cluster, nil
}

// builder registers the parts of a cluster.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOption

	network *network.Network
	cluster *awseks.Cluster
}

func (b *builder) build(made *Cluster) (err error) {
	b.network, err = network.New(b.ctx, b.name, network.Args{Scope: b.args.Scope, CIDR: b.args.CIDR}, b.parent)
	if err != nil {
		return err
	}
	if err := b.newCluster(); err != nil {
		return err
	}
	identities, err := b.newIdentities(append(systemIdentities(b.args.Scope), b.args.Identities...))
	if err != nil {
		return err
	}
	// Nodes are ready when pods on them have a network.
	early, err := b.newAddons(addonsBeforeNodes, identities)
	if err != nil {
		return err
	}
	nodes, err := b.newNodeGroups(early)
	if err != nil {
		return err
	}
	late, err := b.newAddons(addonsOnNodes, append(identities, nodes...))
	if err != nil {
		return err
	}
	if made.Provider, err = b.newProvider(append(nodes, late...)); err != nil {
		return err
	}
	made.Ready, err = b.newServices(made.Provider)
	made.Ready = append(made.Ready, identities...)
	return err
}
