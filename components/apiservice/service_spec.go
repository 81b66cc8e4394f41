package apiservice

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// affinitySeconds is how long the Service sends a client to the same pod after its last request.
const affinitySeconds = 10800

// servicePort is where the Service listens.
const servicePort = 80

// metadata returns the metadata of an object of the API; with an empty name the provider makes one.
func metadata(args Args, name string) kube.Metadata {
	meta := workload(args, appName)
	meta.Name = name
	return meta
}

// workload returns the metadata of what belongs to the API's Deployment, or to that of its canary.
func workload(args Args, name string) kube.Metadata {
	return kube.Metadata{Name: name, Namespace: args.Namespace, Labels: kube.Labels(name, "api", args.Region)}
}

func serviceAccountArgs(args Args) *corev1.ServiceAccountArgs {
	return &corev1.ServiceAccountArgs{
		Metadata:                     metadata(args, appName).Args(),
		AutomountServiceAccountToken: pulumi.Bool(false),
	}
}

func serviceArgs(args Args, name string) *corev1.ServiceArgs {
	return &corev1.ServiceArgs{
		Metadata: workload(args, name).Args(),
		Spec: &corev1.ServiceSpecArgs{
			Type:     pulumi.String("ClusterIP"),
			Selector: kube.StringMap(kube.Selector(name)),
			Ports: corev1.ServicePortArray{&corev1.ServicePortArgs{
				Name:       pulumi.String("http"),
				Port:       pulumi.Int(servicePort),
				TargetPort: pulumi.String("http"),
				Protocol:   pulumi.String("TCP"),
			}},
			SessionAffinity: pulumi.String("ClientIP"),
			SessionAffinityConfig: &corev1.SessionAffinityConfigArgs{
				ClientIP: &corev1.ClientIPConfigArgs{TimeoutSeconds: pulumi.Int(affinitySeconds)},
			},
		},
	}
}
