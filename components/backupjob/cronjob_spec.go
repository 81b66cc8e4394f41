package backupjob

import (
	"fmt"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const (
	// startingDeadline is how late a backup may begin, in seconds: a late one is better than none.
	startingDeadline = 6 * 60 * 60
	// activeDeadline bounds all attempts of a backup together, in seconds.
	activeDeadline = 6 * 60 * 60
	// terminationGrace is for removing an unfinished upload, in seconds.
	terminationGrace = 60
	// user is the numeric user of PostgreSQL images for CloudNativePG.
	user = 26

	toolsPath = "/tools"
)

func metadata(args Args) kube.Metadata {
	return kube.Metadata{Name: jobName, Namespace: args.Namespace, Labels: labels(args)}
}

func labels(args Args) map[string]string { return kube.Labels(jobName, "backup", args.Region) }

func serviceAccountArgs(args Args) *corev1.ServiceAccountArgs {
	return &corev1.ServiceAccountArgs{
		Metadata:                     metadata(args).Args(),
		AutomountServiceAccountToken: pulumi.Bool(false),
	}
}

// egress is all that a backup connects to; nobody connects to it.
func egress(args Args) []kube.Traffic {
	return append([]kube.Traffic{kube.DNS(), args.Database.Traffic()}, args.Store.Traffic()...)
}

func cronJobArgs(args Args) *batchv1.CronJobArgs {
	return &batchv1.CronJobArgs{
		Metadata: metadata(args).Args(),
		Spec: &batchv1.CronJobSpecArgs{
			Schedule:                   pulumi.String(args.Schedule),
			TimeZone:                   pulumi.String("UTC"),
			ConcurrencyPolicy:          pulumi.String("Forbid"),
			StartingDeadlineSeconds:    pulumi.Int(startingDeadline),
			SuccessfulJobsHistoryLimit: pulumi.Int(7),
			FailedJobsHistoryLimit:     pulumi.Int(3),
			JobTemplate: &batchv1.JobTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{Labels: kube.StringMap(labels(args))},
				Spec: &batchv1.JobSpecArgs{
					BackoffLimit:          pulumi.Int(2),
					ActiveDeadlineSeconds: pulumi.Int(activeDeadline),
					Template: &corev1.PodTemplateSpecArgs{
						Metadata: &metav1.ObjectMetaArgs{Labels: kube.StringMap(labels(args))},
						Spec:     podSpec(args),
					},
				},
			},
		},
	}
}

func podSpec(args Args) *corev1.PodSpecArgs {
	return &corev1.PodSpecArgs{
		RestartPolicy:                 pulumi.String("Never"),
		ServiceAccountName:            pulumi.String(jobName),
		AutomountServiceAccountToken:  pulumi.Bool(false),
		EnableServiceLinks:            pulumi.Bool(false),
		TerminationGracePeriodSeconds: pulumi.Int(terminationGrace),
		SecurityContext:               kube.PodSecurity(user),
		InitContainers:                corev1.ContainerArray{installContainer(args)},
		Containers:                    corev1.ContainerArray{backupContainer(args)},
		Volumes: corev1.VolumeArray{
			scratch("tools", "64Mi"), scratch("tmp", "64Mi"), args.Database.Volume(),
		},
	}
}

func scratch(name, size string) *corev1.VolumeArgs {
	return &corev1.VolumeArgs{
		Name:     pulumi.String(name),
		EmptyDir: &corev1.EmptyDirVolumeSourceArgs{SizeLimit: pulumi.String(size)},
	}
}

func mount(name, path string) *corev1.VolumeMountArgs {
	return &corev1.VolumeMountArgs{Name: pulumi.String(name), MountPath: pulumi.String(path)}
}

// installContainer puts agentd next to pg_dump: neither image has both.
func installContainer(args Args) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name:            pulumi.String("install"),
		Image:           args.Image,
		ImagePullPolicy: pulumi.String("IfNotPresent"),
		Args:            pulumi.ToStringArray([]string{"install", toolsPath}),
		Resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "10m", Memory: "32Mi"},
			Limits:   kube.ResourceList{Memory: "128Mi"},
		}.Args(),
		SecurityContext: kube.ContainerSecurity(),
		VolumeMounts:    corev1.VolumeMountArray{mount("tools", toolsPath)},
	}
}

// backupContainer has the program as its command alone, so that a Job made from the CronJob can do something else with
// other args, such as restore.
func backupContainer(args Args) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name:            pulumi.String("backup"),
		Image:           pulumi.String(args.PostgresImage),
		ImagePullPolicy: pulumi.String("IfNotPresent"),
		Command:         pulumi.ToStringArray([]string{toolsPath + "/agentd"}),
		Args:            pulumi.ToStringArray([]string{"backup"}),
		Env:             environment(args),
		Resources:       args.Resources.Args(),
		SecurityContext: kube.ContainerSecurity(),
		VolumeMounts: corev1.VolumeMountArray{
			mount("tools", toolsPath), mount("tmp", "/tmp"), args.Database.Mount(),
		},
	}
}

func environment(args Args) corev1.EnvVarArray {
	store := args.Store
	env := corev1.EnvVarArray{
		kube.EnvFromSecret("DATABASE_URL", args.Database.SecretName.ToStringOutput(), kube.KeyURI),
		kube.Env("S3_REGION", store.Region),
		kube.Env("S3_BUCKET", store.Bucket),
		kube.Env("BACKUP_RETENTION", fmt.Sprintf("%dd", args.RetentionDays)),
	}
	if store.Endpoint != "" {
		env = append(env, kube.Env("S3_ENDPOINT", store.Endpoint))
	}
	if store.SecretName != nil {
		secret := store.SecretName.ToStringOutput()
		env = append(env, kube.EnvFromSecret("AWS_ACCESS_KEY_ID", secret, kube.KeyAccessKeyID),
			kube.EnvFromSecret("AWS_SECRET_ACCESS_KEY", secret, kube.KeySecretAccessKey))
	}
	return env
}
