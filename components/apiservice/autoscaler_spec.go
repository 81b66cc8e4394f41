package apiservice

import (
	"strconv"

	autoscalingv2 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/autoscaling/v2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// requestsMetric is the metric of pods by which the API scales, beside CPU and memory: requests a second, those of
// probes and scrapes left out. Whoever monitors the region serves it as custom.metrics.k8s.io.
const requestsMetric = "ai_agent_requests_per_second"

// What a pod is meant to carry. CPU and memory are in percent of what it requests.
const (
	targetCPU      = 70
	targetMemory   = 80
	targetRequests = 100
)

// autoscalerArgs scales the API by the metric that asks for the most pods. It counts as created once the autoscaler has
// looked at the Deployment, and so has asked for the least number of pods at the least.
func autoscalerArgs(args Args) *autoscalingv2.HorizontalPodAutoscalerArgs {
	meta := metadata(args, appName)
	meta.Annotations = kube.WaitFor("jsonpath={.status.currentReplicas}")
	return &autoscalingv2.HorizontalPodAutoscalerArgs{
		Metadata: meta.Args(),
		Spec: &autoscalingv2.HorizontalPodAutoscalerSpecArgs{
			ScaleTargetRef: &autoscalingv2.CrossVersionObjectReferenceArgs{
				ApiVersion: pulumi.String("apps/v1"),
				Kind:       pulumi.String("Deployment"),
				Name:       pulumi.String(appName),
			},
			MinReplicas: pulumi.Int(args.MinReplicas),
			MaxReplicas: pulumi.Int(args.MaxReplicas),
			Metrics: autoscalingv2.MetricSpecArray{
				utilization("cpu", targetCPU),
				utilization("memory", targetMemory),
				&autoscalingv2.MetricSpecArgs{
					Type: pulumi.String("Pods"),
					Pods: &autoscalingv2.PodsMetricSourceArgs{
						Metric: &autoscalingv2.MetricIdentifierArgs{Name: pulumi.String(requestsMetric)},
						Target: &autoscalingv2.MetricTargetArgs{
							Type:         pulumi.String("AverageValue"),
							AverageValue: pulumi.String(strconv.Itoa(targetRequests)),
						},
					},
				},
			},
			// Up fast, and down by a tenth a minute: an answer of a model may take minutes, and traffic that has ebbed
			// for a moment comes back.
			Behavior: &autoscalingv2.HorizontalPodAutoscalerBehaviorArgs{
				ScaleUp:   scaling("Max", 60, policy("Percent", 100), policy("Pods", 4)),
				ScaleDown: scaling("Min", 300, policy("Percent", 10)),
			},
		},
	}
}

func utilization(resource string, percent int) *autoscalingv2.MetricSpecArgs {
	return &autoscalingv2.MetricSpecArgs{
		Type: pulumi.String("Resource"),
		Resource: &autoscalingv2.ResourceMetricSourceArgs{
			Name: pulumi.String(resource),
			Target: &autoscalingv2.MetricTargetArgs{
				Type:               pulumi.String("Utilization"),
				AverageUtilization: pulumi.Int(percent),
			},
		},
	}
}

// scaling chooses one of the policies, and changes nothing before the metrics have asked for it for so many seconds.
func scaling(choice string, window int, policies ...autoscalingv2.HPAScalingPolicyInput,
) *autoscalingv2.HPAScalingRulesArgs {
	return &autoscalingv2.HPAScalingRulesArgs{
		StabilizationWindowSeconds: pulumi.Int(window),
		SelectPolicy:               pulumi.String(choice),
		Policies:                   autoscalingv2.HPAScalingPolicyArray(policies),
	}
}

// policy lets a minute change the number of pods by value.
func policy(kind string, value int) *autoscalingv2.HPAScalingPolicyArgs {
	return &autoscalingv2.HPAScalingPolicyArgs{
		Type: pulumi.String(kind), Value: pulumi.Int(value), PeriodSeconds: pulumi.Int(60),
	}
}
