package apiservice

import (
	"fmt"
	"strconv"
	"time"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const judgeName = appName + "-judge"

// Where the region's Prometheus is.
const (
	prometheusPort = 9090
	prometheusURL  = "http://prometheus.monitoring.svc.cluster.local:9090"
)

const (
	// judgeMargin is what the judge may take beside the window: its start, three minutes until the canary's pods are
	// ready, and a minute for a Prometheus that does not answer at the end.
	judgeMargin = 6 * time.Minute
	// judgeOverrun is how much longer the Kubernetes provider waits, so that the Job itself says why it failed.
	judgeOverrun = time.Minute
)

func judgeMetadata(args Args) kube.Metadata {
	return kube.Metadata{
		Name: judgeName, Namespace: args.Namespace, Labels: kube.Labels(judgeName, "judge", args.Region),
	}
}

func judgeServiceAccount(meta kube.Metadata) *corev1.ServiceAccountArgs {
	return &corev1.ServiceAccountArgs{Metadata: meta.Args(), AutomountServiceAccountToken: pulumi.Bool(false)}
}

// judgeRole lets the judge see which images the two versions have, set how many pods the canary has, and lead the
// canary's Service to them. It cannot change what they run.
func judgeRole(meta kube.Metadata) *rbacv1.RoleArgs {
	look := kube.PolicyRule("apps", []string{"deployments"}, "get")
	look.ResourceNames = pulumi.ToStringArray([]string{appName, canaryName})
	scale := kube.PolicyRule("apps", []string{"deployments/scale"}, "patch")
	scale.ResourceNames = pulumi.ToStringArray([]string{canaryName})
	lead := kube.PolicyRule("", []string{"services"}, "patch")
	lead.ResourceNames = pulumi.ToStringArray([]string{canaryName})
	return &rbacv1.RoleArgs{Metadata: meta.Args(), Rules: rbacv1.PolicyRuleArray{look, scale, lead}}
}

func judgeRoleBinding(meta kube.Metadata) *rbacv1.RoleBindingArgs {
	return &rbacv1.RoleBindingArgs{
		Metadata: meta.Args(),
		RoleRef:  kube.RoleRef("Role", meta.Name),
		Subjects: kube.ServiceAccount(meta.Name, meta.Namespace),
	}
}

func judgeEgress() []kube.Traffic {
	return []kube.Traffic{
		kube.DNS(), kube.APIServer(),
		{Peers: []kube.Peer{kube.Prometheus()}, Ports: []kube.Port{{Number: prometheusPort}}},
	}
}

// judgeArgs describes the Job that compares the canary with the API. As that of the migration it is named by the
// provider, and replaced by one of another name when its image changes. One that failed is replaced by every update, so
// that a canary that was refused is judged again, and not let through.
func judgeArgs(args Args, window time.Duration) *batchv1.JobArgs {
	meta := judgeMetadata(args)
	deadline := window + judgeMargin
	meta.Name = ""
	meta.Annotations = map[string]string{
		"pulumi.com/replaceUnready": "true",
		"pulumi.com/timeoutSeconds": strconv.Itoa(int((deadline + judgeOverrun).Seconds())),
	}
	return &batchv1.JobArgs{
		Metadata: meta.Args(),
		Spec: &batchv1.JobSpecArgs{
			BackoffLimit:          pulumi.Int(0),
			ActiveDeadlineSeconds: pulumi.Int(int(deadline.Seconds())),
			Template: &corev1.PodTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{Labels: kube.StringMap(meta.Labels)},
				Spec: &corev1.PodSpecArgs{
					RestartPolicy:                pulumi.String("Never"),
					ServiceAccountName:           pulumi.String(judgeName),
					AutomountServiceAccountToken: pulumi.Bool(true),
					EnableServiceLinks:           pulumi.Bool(false),
					SecurityContext:              kube.PodSecurity(user),
					Tolerations:                  tolerations(args.NodeType),
					Containers:                   corev1.ContainerArray{judgeContainer(args)},
				},
			},
		},
	}
}

func judgeContainer(args Args) *corev1.ContainerArgs {
	resources := kube.Resources{
		Requests: kube.ResourceList{CPU: "20m", Memory: "32Mi"},
		Limits:   kube.ResourceList{Memory: "128Mi"},
	}
	// Pods of the API are in a scrape job of their own, and those of the canary are not.
	namespace := fmt.Sprintf("namespace=%q,", args.Namespace)
	return &corev1.ContainerArgs{
		Name:            pulumi.String("judge"),
		Image:           args.Image,
		ImagePullPolicy: pulumi.String("IfNotPresent"),
		Args:            pulumi.ToStringArray([]string{"judge"}),
		Env: corev1.EnvVarArray{
			kube.Env("PROMETHEUS_URL", prometheusURL),
			kube.Env("STABLE_SELECTOR", namespace+fmt.Sprintf("job=%q", appName)),
			kube.Env("CANARY_SELECTOR", namespace+fmt.Sprintf("pod=~%q", canaryName+"-.+")),
			kube.Env("STABLE_DEPLOYMENT", appName),
			kube.Env("CANARY_DEPLOYMENT", canaryName),
			kube.Env("CANARY_REPLICAS", strconv.Itoa(args.canaryReplicas())),
			&corev1.EnvVarArgs{Name: pulumi.String("CANARY_IMAGE"), Value: args.Image.ToStringOutput()},
			kube.Env("WINDOW", args.Canary.Window),
			kube.Env("MIN_REQUESTS", strconv.Itoa(args.Canary.MinRequests)),
		},
		Resources:       resources.Args(),
		SecurityContext: kube.ContainerSecurity(),
	}
}
