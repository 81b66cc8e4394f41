package eks

import (
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	helmv3 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/helm/v3"
	storagev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/storage/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const (
	// StorageClass is the default class of volumes: SSDs that are encrypted and can grow.
	StorageClass = "ssd-premium"

	systemNamespace        = "kube-system"
	loadBalancerController = "aws-load-balancer-controller"
	autoscaler             = "cluster-autoscaler"
	databaseOperator       = "cloudnative-pg"
	edgeController         = "envoy-gateway"

	// releaseTimeout is how long a Helm release may take, in seconds. One that takes longer is rolled back.
	releaseTimeout = 600
)

// newServices registers what workloads need that EKS does not bring.
func (b *builder) newServices(provider *kubernetes.Provider) ([]pulumi.Resource, error) {
	class, err := storagev1.NewStorageClass(b.ctx, b.name, storageClassArgs(b.args.Region), b.parent,
		pulumi.Provider(provider))
	if err != nil {
		return nil, fmt.Errorf("register StorageClass of %s: %w", b.name, err)
	}
	made := []pulumi.Resource{class}
	for _, release := range b.releases() {
		resource, err := helmv3.NewRelease(b.ctx, b.name+"-"+release.name, release.args(), b.parent,
			pulumi.Provider(provider))
		if err != nil {
			return nil, fmt.Errorf("register release %s of %s: %w", release.name, b.name, err)
		}
		made = append(made, resource)
	}
	// Its definition comes with the release of Envoy Gateway.
	gateways, err := kube.NewCustomResource(b.ctx, b.name, gatewayClass(b.args.Region), b.parent,
		pulumi.Provider(provider), pulumi.DependsOn(made))
	if err != nil {
		return nil, err
	}
	return append(made, gateways), nil
}

type gatewayClassSpec struct {
	ControllerName string `json:"controllerName"`
}

// gatewayClass is for Gateways that Envoy Gateway serves.
func gatewayClass(region string) kube.CustomResource[gatewayClassSpec] {
	return kube.CustomResource[gatewayClassSpec]{
		APIVersion: "gateway.networking.k8s.io/v1",
		Kind:       "GatewayClass",
		Metadata: kube.Metadata{
			Name:        "envoy",
			Labels:      kube.Labels(edgeController, "edge", region),
			Annotations: kube.WaitFor("condition=Accepted"),
		},
		Spec: gatewayClassSpec{ControllerName: "gateway.envoyproxy.io/gatewayclass-controller"},
	}
}

// storageClassArgs describes volumes that are made in the zone in which the pod that asks for them is put.
// https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/parameters.md
func storageClassArgs(region string) *storagev1.StorageClassArgs {
	meta := kube.Metadata{
		Name:        StorageClass,
		Labels:      kube.Labels(StorageClass, "storage", region),
		Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
	}
	return &storagev1.StorageClassArgs{
		Metadata:             meta.Args(),
		Provisioner:          pulumi.String("ebs.csi.aws.com"),
		Parameters:           pulumi.StringMap{"type": pulumi.String("gp3"), "encrypted": pulumi.String("true")},
		VolumeBindingMode:    pulumi.String("WaitForFirstConsumer"),
		AllowVolumeExpansion: pulumi.Bool(true),
		ReclaimPolicy:        pulumi.String("Delete"),
	}
}

// release is a Helm chart in a pinned version.
type release struct {
	name, namespace, repository, version string
	values                               pulumi.Map
	// image is the chart as an image of a registry, where it is in no repository.
	image string
}

func (b *builder) releases() []release {
	return []release{
		{
			// Chart 0.27.0 brings version 1.28.0 of the operator, whose API hapostgres uses.
			name:       databaseOperator,
			namespace:  "cnpg-system",
			repository: "https://cloudnative-pg.github.io/charts",
			version:    "0.27.0",
			values:     pulumi.Map{"replicaCount": pulumi.Int(2), "resources": operatorResources.Args()},
		},
		{
			// Chart 1.14.0 brings version 2.14.0 of the controller.
			name:       loadBalancerController,
			namespace:  systemNamespace,
			repository: "https://aws.github.io/eks-charts",
			version:    "1.14.0",
			values:     b.loadBalancerValues(),
		},
		{
			name:      edgeController,
			namespace: kube.EdgeNamespace,
			image:     "oci://docker.io/envoyproxy/gateway-helm",
			version:   "v1.9.1",
			values:    edgeControllerValues(),
		},
		{
			name:       autoscaler,
			namespace:  systemNamespace,
			repository: "https://kubernetes.github.io/autoscaler",
			version:    "9.52.1",
			values:     b.autoscalerValues(),
		},
	}
}

// operatorResources are of each operator's container.
var operatorResources = kube.Resources{
	Requests: kube.ResourceList{CPU: "100m", Memory: "256Mi"},
	Limits:   kube.ResourceList{Memory: "512Mi"},
}

// loadBalancerValues names the cluster and its network, which the controller would otherwise ask the metadata service
// for, and leaves out what would need further permissions.
func (b *builder) loadBalancerValues() pulumi.Map {
	return pulumi.Map{
		"clusterName":    b.cluster.Name,
		"region":         pulumi.String(b.args.Region),
		"vpcId":          b.network.VPC,
		"serviceAccount": pulumi.Map{"name": pulumi.String(loadBalancerController)},
		"defaultTags":    b.args.Tags(nil),
		"enableShield":   pulumi.Bool(false),
		"enableWaf":      pulumi.Bool(false),
		"enableWafv2":    pulumi.Bool(false),
		// The Service of the edge names the controller in an annotation, and no other shall wait for it.
		"enableServiceMutatorWebhook": pulumi.Bool(false),
		"resources":                   operatorResources.Args(),
	}
}

// edgeControllerValues make two controllers, of which a drain evicts one at a time, and allow EnvoyPatchPolicies.
func edgeControllerValues() pulumi.Map {
	return pulumi.Map{
		"deployment": pulumi.Map{
			"replicas":     pulumi.Int(2),
			"envoyGateway": pulumi.Map{"resources": operatorResources.Args()},
		},
		"podDisruptionBudget": pulumi.Map{"minAvailable": pulumi.Int(1)},
		// Its webhook tells an Envoy the zone of its node, for routes that prefer a zone.
		"topologyInjector": pulumi.Map{"enabled": pulumi.Bool(false)},
		"config": pulumi.Map{"envoyGateway": pulumi.Map{
			"extensionApis": pulumi.Map{"enableEnvoyPatchPolicy": pulumi.Bool(true)},
		}},
	}
}

func (b *builder) autoscalerValues() pulumi.Map {
	return pulumi.Map{
		"fullnameOverride": pulumi.String(autoscaler),
		"autoDiscovery":    pulumi.Map{"clusterName": b.cluster.Name},
		"awsRegion":        pulumi.String(b.args.Region),
		"rbac":             pulumi.Map{"serviceAccount": pulumi.Map{"name": pulumi.String(autoscaler)}},
		// Its minor version is that of Kubernetes, by default.
		"image":     pulumi.Map{"tag": pulumi.String("v1.34.2")},
		"resources": operatorResources.Args(),
	}
}

func (r release) args() *helmv3.ReleaseArgs {
	args := &helmv3.ReleaseArgs{
		Name:            pulumi.String(r.name),
		Namespace:       pulumi.String(r.namespace),
		CreateNamespace: pulumi.Bool(r.namespace != systemNamespace),
		Chart:           pulumi.String(r.name),
		Version:         pulumi.String(r.version),
		Values:          r.values,
		Atomic:          pulumi.Bool(true),
		CleanupOnFail:   pulumi.Bool(true),
		Timeout:         pulumi.Int(releaseTimeout),
	}
	if r.image != "" {
		args.Chart = pulumi.String(r.image)
		return args
	}
	args.RepositoryOpts = &helmv3.RepositoryOptsArgs{Repo: pulumi.String(r.repository)}
	return args
}
