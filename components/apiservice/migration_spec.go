package apiservice

import (
	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const migrationName = appName + "-migrate"

// migrationDeadline bounds all attempts of a migration together, in seconds. It is below the ten minutes
// that the Kubernetes provider waits for a Job, so that the Job itself says why it failed.
const migrationDeadline = 540

// migrationArgs describes the Job that migrates the database's schema. A Job's template is immutable and
// the provider names the Job, so a new image replaces it: the new Job runs to its end before the old one is
// deleted. It has no time to live: a Job that deleted itself would look like drift. One that failed is made anew by the
// next update, whatever was mended in the meantime.
func migrationArgs(args Args) *batchv1.JobArgs {
	labels := kube.Labels(migrationName, "migration", args.Region)
	return &batchv1.JobArgs{
		Metadata: kube.Metadata{
			Namespace: args.Namespace, Labels: labels,
			Annotations: map[string]string{"pulumi.com/replaceUnready": "true"},
		}.Args(),
		Spec: &batchv1.JobSpecArgs{
			BackoffLimit:          pulumi.Int(3),
			ActiveDeadlineSeconds: pulumi.Int(migrationDeadline),
			Template: &corev1.PodTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{Labels: kube.StringMap(labels)},
				Spec: &corev1.PodSpecArgs{
					RestartPolicy:                pulumi.String("Never"),
					ServiceAccountName:           pulumi.String(appName),
					AutomountServiceAccountToken: pulumi.Bool(false),
					EnableServiceLinks:           pulumi.Bool(false),
					SecurityContext:              kube.PodSecurity(user),
					Tolerations:                  tolerations(args.NodeType),
					Containers:                   corev1.ContainerArray{migrationContainer(args)},
					Volumes:                      corev1.VolumeArray{args.Database.Volume()},
				},
			},
		},
	}
}

func migrationContainer(args Args) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name:            pulumi.String("migrate"),
		Image:           args.Image,
		ImagePullPolicy: pulumi.String("IfNotPresent"),
		Args:            pulumi.ToStringArray([]string{"migrate"}),
		Env:             corev1.EnvVarArray{databaseURL(args, kube.KeyDirectURI)},
		Resources:       migrationResources.Args(),
		SecurityContext: kube.ContainerSecurity(),
		VolumeMounts:    corev1.VolumeMountArray{args.Database.Mount()},
	}
}

// migrationResources are small: the work is done by the database.
var migrationResources = kube.Resources{
	Requests: kube.ResourceList{CPU: "50m", Memory: "64Mi"},
	Limits:   kube.ResourceList{Memory: "256Mi"},
}
