// Package hapostgres runs PostgreSQL as a CloudNativePG cluster: a primary and replicas spread over the
// zones, with synchronous replication, automatic failover and the pgvector extension. The operator must be
// installed.
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

// HaPostgres is a highly available PostgreSQL cluster.
type HaPostgres struct {
	pulumi.ResourceState

	// Cluster is the Cluster object, created when all its instances are ready. What needs the database
	// depends on it, and not on the component: the SDK collects the children of a component while they are
	// being registered.
	Cluster pulumi.Resource
	// SecretName is the Secret with the owner's credentials, made by the operator: keys username, password,
	// host, port, dbname, uri (a URL to the primary) and others.
	SecretName string
}

// New registers a cluster and waits until all its instances are ready. Bad arguments register nothing.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*HaPostgres, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("validate arguments of %s: %w", name, err)
	}
	args.Settings = args.withDefaults()
	postgres := &HaPostgres{SecretName: clusterName + "-app"}
	if err := ctx.RegisterComponentResource(typeToken, name, postgres, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	cluster, err := kube.NewCustomResource(ctx, name, clusterResource(args), pulumi.Parent(postgres))
	if err != nil {
		return nil, err
	}
	postgres.Cluster = cluster
	if err := ctx.RegisterResourceOutputs(postgres, pulumi.Map{
		"secretName": pulumi.String(postgres.SecretName),
	}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return postgres, nil
}
