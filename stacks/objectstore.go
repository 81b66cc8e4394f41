package stacks

import (
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const (
	gatewayTypeToken = "agentstack:components:ObjectStoreGateway"
	gatewayName      = "object-store"
	gatewayPort      = 7070
	gatewayBucket    = "ai-agent-backups"
	// gatewayRegion is the one that the gateway answers for.
	gatewayRegion = "us-east-1"
)

// objectStoreGateway is an S3 gateway in front of one volume.
type objectStoreGateway struct {
	pulumi.ResourceState

	store *kube.ObjectStore
	// service is created when the gateway answers.
	service pulumi.Resource
}

// newObjectStoreGateway registers a store for stacks without a cloud: an S3 gateway in front of one volume, with one
// bucket. It is in the cluster that it backs up, so it shows how backups work and protects from mistakes, but not from
// the loss of the cluster.
func newObjectStoreGateway(ctx *pulumi.Context, name, region string, settings ObjectStore, databases []string,
	opts ...pulumi.ResourceOption,
) (*objectStoreGateway, error) {
	gateway := &objectStoreGateway{}
	if err := ctx.RegisterComponentResource(gatewayTypeToken, name, gateway, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	parent := pulumi.Parent(gateway)
	meta := gatewayMetadata(region)
	secretKey, keep := kube.Generate()
	secret, err := kube.NewSecret(ctx, name, meta, pulumi.StringMap{
		kube.KeyAccessKeyID:     pulumi.String("ai-agent"),
		kube.KeySecretAccessKey: secretKey,
	}, parent, keep)
	if err != nil {
		return nil, err
	}
	gateway.store = &kube.ObjectStore{
		Endpoint:   fmt.Sprintf("http://%s.%s.svc:%d", gatewayName, namespace, gatewayPort),
		Region:     gatewayRegion,
		Bucket:     gatewayBucket,
		SecretName: secret.Metadata.Name().Elem(),
	}
	gateway.service, err = newGatewayWorkload(ctx, name, meta, gateway.store.SecretName, settings, parent)
	if err != nil {
		return nil, err
	}
	err = kube.NewNetworkPolicy(ctx, name, meta, kube.Selector(gatewayName), gatewayClients(databases), nil, parent)
	if err != nil {
		return nil, err
	}
	outputs := pulumi.Map{
		"endpoint": pulumi.String(gateway.store.Endpoint),
		"bucket":   pulumi.String(gateway.store.Bucket),
	}
	if err := ctx.RegisterResourceOutputs(gateway, outputs); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return gateway, nil
}

func newGatewayWorkload(ctx *pulumi.Context, name string, meta kube.Metadata, secret pulumi.StringInput,
	settings ObjectStore, parent pulumi.ResourceOption,
) (pulumi.Resource, error) {
	account, err := corev1.NewServiceAccount(ctx, name, &corev1.ServiceAccountArgs{
		Metadata:                     meta.Args(),
		AutomountServiceAccountToken: pulumi.Bool(false),
	}, parent)
	if err != nil {
		return nil, fmt.Errorf("register ServiceAccount of %s: %w", name, err)
	}
	set, err := appsv1.NewStatefulSet(ctx, name, gatewayStatefulSet(meta, secret, settings), parent,
		pulumi.DependsOn([]pulumi.Resource{account}))
	if err != nil {
		return nil, fmt.Errorf("register StatefulSet of %s: %w", name, err)
	}
	service, err := corev1.NewService(ctx, name, gatewayService(meta), parent,
		pulumi.DependsOn([]pulumi.Resource{set}))
	if err != nil {
		return nil, fmt.Errorf("register Service of %s: %w", name, err)
	}
	return service, nil
}

// gatewayClients are the databases' instances, the jobs that make them included, and the backups.
func gatewayClients(databases []string) []kube.Traffic {
	peers := []kube.Peer{{Pods: kube.Selector("ai-agent-backup")}}
	for _, name := range databases {
		instances := map[string]string{"cnpg.io/cluster": name, kube.LabelComponent: "database"}
		peers = append(peers, kube.Peer{Pods: instances})
	}
	return []kube.Traffic{{Peers: peers, Ports: []kube.Port{{Number: gatewayPort}}}}
}
