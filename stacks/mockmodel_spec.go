package stacks

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/apiservice"
	"agentstack/internal/kube"
)

// mockModels returns what the server at url offers by each of its two protocols. The prices let costs be seen.
func mockModels(url string) apiservice.Models {
	const openAI, anthropic = "mock", "mock-anthropic"
	model := func(name, provider string) apiservice.Model {
		return apiservice.Model{
			Name:       name,
			Routes:     []apiservice.Route{{Provider: provider}},
			InputPrice: 0.5, OutputPrice: 1.5,
		}
	}
	return apiservice.Models{
		Providers: []apiservice.Provider{
			{Name: openAI, Kind: apiservice.KindOpenAI, BaseURL: url + "/v1"},
			{Name: anthropic, Kind: apiservice.KindAnthropic, BaseURL: url},
		},
		Catalog: []apiservice.Model{
			model("mock", openAI), model("mock*", openAI),
			model("claude-mock", anthropic), model("claude-mock*", anthropic),
		},
		EmbeddingModel: mockEmbedding,
	}
}

// mockUser is the numeric user of the image.
const mockUser = 65532

func (a mockModelArgs) metadata() kube.Metadata {
	return kube.Metadata{
		Name:      mockName,
		Namespace: a.Namespace,
		Labels:    kube.Labels(mockName, "model", a.Region),
	}
}

func mockDeploymentArgs(args mockModelArgs) *appsv1.DeploymentArgs {
	labels := kube.StringMap(kube.Labels(mockName, "model", args.Region))
	return &appsv1.DeploymentArgs{
		Metadata: args.metadata().Args(),
		Spec: &appsv1.DeploymentSpecArgs{
			Replicas: pulumi.Int(2),
			Selector: kube.MatchLabels(kube.Selector(mockName)),
			Template: &corev1.PodTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{Labels: labels},
				Spec: &corev1.PodSpecArgs{
					ServiceAccountName:           pulumi.String(mockName),
					AutomountServiceAccountToken: pulumi.Bool(false),
					EnableServiceLinks:           pulumi.Bool(false),
					SecurityContext:              kube.PodSecurity(mockUser),
					Affinity:                     kube.SpreadAcrossHosts(kube.Selector(mockName)),
					Containers:                   corev1.ContainerArray{mockContainer(args)},
				},
			},
		},
	}
}

func mockContainer(args mockModelArgs) *corev1.ContainerArgs {
	resources := kube.Resources{
		Requests: kube.ResourceList{CPU: "10m", Memory: "32Mi"},
		Limits:   kube.ResourceList{Memory: "64Mi"},
	}
	probe := &corev1.ProbeArgs{
		TcpSocket:     &corev1.TCPSocketActionArgs{Port: pulumi.String("http")},
		PeriodSeconds: pulumi.Int(5),
	}
	return &corev1.ContainerArgs{
		Name:            pulumi.String(mockName),
		Image:           args.Image,
		ImagePullPolicy: pulumi.String("IfNotPresent"),
		Ports: corev1.ContainerPortArray{&corev1.ContainerPortArgs{
			Name:          pulumi.String("http"),
			ContainerPort: pulumi.Int(mockPort),
		}},
		ReadinessProbe:  probe,
		LivenessProbe:   probe,
		Resources:       resources.Args(),
		SecurityContext: kube.ContainerSecurity(),
		// Nodes learn of the end a moment after the process does.
		Lifecycle: &corev1.LifecycleArgs{
			PreStop: &corev1.LifecycleHandlerArgs{Sleep: &corev1.SleepActionArgs{Seconds: pulumi.Int(5)}},
		},
	}
}

func mockServiceArgs(args mockModelArgs) *corev1.ServiceArgs {
	return &corev1.ServiceArgs{
		Metadata: args.metadata().Args(),
		Spec: &corev1.ServiceSpecArgs{
			Selector: kube.StringMap(kube.Selector(mockName)),
			Ports: corev1.ServicePortArray{&corev1.ServicePortArgs{
				Name:       pulumi.String("http"),
				Port:       pulumi.Int(mockPort),
				TargetPort: pulumi.String("http"),
			}},
		},
	}
}
