package rediscluster

import (
	"strconv"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const (
	// formed is a ConfigMap that exists once the cluster is complete. Its key leadersKey has the number of leaders.
	formed     = Name + "-formed"
	leadersKey = "leaders"

	// reshardDeadline bounds all attempts of a Job together, in seconds. It is below the ten minutes that the
	// Kubernetes provider waits for a Job, so that the Job itself says why it failed. The next one goes on.
	reshardDeadline = 540
)

// formedArgs is written after the pods are there and before any of them is given slots. So no leader with a higher
// number than it says has slots, and a drain that finds fewer leaders wanted knows that there are slots to take, also
// when no node can be reached.
func formedArgs(args Args) *corev1.ConfigMapArgs {
	return &corev1.ConfigMapArgs{
		Metadata: args.metadata(formed).Args(),
		Data:     pulumi.StringMap{leadersKey: pulumi.String(strconv.Itoa(args.Leaders))},
	}
}

// reshardJob describes a Job that runs reshard.sh in a mode. A Job's template is immutable and the provider names the
// Job, so a new number of leaders replaces it. It has no time to live: a Job that deleted itself would look like drift.
func reshardJob(args Args, mode string, parts podParts) *batchv1.JobArgs {
	labels := kube.Labels(reshard, "cache", args.Region)
	return &batchv1.JobArgs{
		Metadata: kube.Metadata{Namespace: args.Namespace, Labels: labels}.Args(),
		Spec: &batchv1.JobSpecArgs{
			BackoffLimit:          pulumi.Int(1),
			ActiveDeadlineSeconds: pulumi.Int(reshardDeadline),
			Template: &corev1.PodTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{Labels: kube.StringMap(labels)},
				Spec: &corev1.PodSpecArgs{
					RestartPolicy:                pulumi.String("Never"),
					AutomountServiceAccountToken: pulumi.Bool(false),
					EnableServiceLinks:           pulumi.Bool(false),
					SecurityContext:              kube.PodSecurity(uid),
					Containers:                   corev1.ContainerArray{reshardContainer(args, mode, parts)},
					Volumes:                      clientVolumes(args),
				},
			},
		},
	}
}

func reshardContainer(args Args, mode string, parts podParts) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name:    pulumi.String(mode),
		Image:   pulumi.String(args.Image),
		Command: pulumi.ToStringArray([]string{scriptPath + "/reshard.sh", mode}),
		Env:     append(clientEnv(args, parts), formedLeaders()),
		Resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "50m", Memory: "32Mi"},
			Limits:   kube.ResourceList{Memory: "128Mi"},
		}.Args(),
		SecurityContext: kube.ContainerSecurity(),
		// The reason of a failure is the last that it says.
		TerminationMessagePolicy: pulumi.String("FallbackToLogsOnError"),
		VolumeMounts:             mounts(args, caVolume),
	}
}

// formedLeaders is empty until the cluster has been complete once.
func formedLeaders() *corev1.EnvVarArgs {
	return &corev1.EnvVarArgs{
		Name: pulumi.String("FORMED_LEADERS"),
		ValueFrom: &corev1.EnvVarSourceArgs{ConfigMapKeyRef: &corev1.ConfigMapKeySelectorArgs{
			Name:     pulumi.String(formed),
			Key:      pulumi.String(leadersKey),
			Optional: pulumi.Bool(true),
		}},
	}
}
