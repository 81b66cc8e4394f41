package stacks

import (
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const (
	gatewayImage  = "docker.io/versity/versitygw:v1.8.0"
	gatewayUser   = 65532
	gatewayVolume = "data"
	gatewayLocks  = "locks"
	gatewayRoot   = "/data"
	gatewayHealth = "/healthz"
)

func gatewayMetadata(region string) kube.Metadata {
	return kube.Metadata{
		Name:      gatewayName,
		Namespace: namespace,
		Labels:    kube.Labels(gatewayName, "object-store", region),
	}
}

func gatewayStatefulSet(meta kube.Metadata, secret pulumi.StringInput, settings ObjectStore) *appsv1.StatefulSetArgs {
	claim := &corev1.PersistentVolumeClaimTypeArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(gatewayVolume), Labels: kube.StringMap(meta.Labels)},
		Spec: &corev1.PersistentVolumeClaimSpecArgs{
			AccessModes: pulumi.ToStringArray([]string{"ReadWriteOnce"}),
			Resources: &corev1.VolumeResourceRequirementsArgs{
				Requests: pulumi.StringMap{"storage": pulumi.String(settings.Size)},
			},
		},
	}
	return &appsv1.StatefulSetArgs{
		Metadata: meta.Args(),
		Spec: &appsv1.StatefulSetSpecArgs{
			ServiceName:          pulumi.String(gatewayName),
			Replicas:             pulumi.Int(1),
			Selector:             kube.MatchLabels(kube.Selector(gatewayName)),
			VolumeClaimTemplates: corev1.PersistentVolumeClaimTypeArray{claim},
			PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicyArgs{
				WhenDeleted: pulumi.String("Delete"),
				WhenScaled:  pulumi.String("Retain"),
			},
			Template: &corev1.PodTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{Labels: kube.StringMap(meta.Labels)},
				Spec: &corev1.PodSpecArgs{
					ServiceAccountName:           pulumi.String(gatewayName),
					AutomountServiceAccountToken: pulumi.Bool(false),
					EnableServiceLinks:           pulumi.Bool(false),
					SecurityContext:              kube.PodSecurity(gatewayUser),
					Containers:                   corev1.ContainerArray{gatewayContainer(secret)},
					Volumes: corev1.VolumeArray{&corev1.VolumeArgs{
						Name:     pulumi.String(gatewayLocks),
						EmptyDir: &corev1.EmptyDirVolumeSourceArgs{SizeLimit: pulumi.String("10Mi")},
					}},
				},
			},
		},
	}
}

// gatewayContainer serves the folders of gatewayRoot as buckets: the volume is mounted as the one that there is. Beside
// them the gateway keeps the locks of running requests. What S3 knows of an object beside its content is kept in the
// file's extended attributes.
func gatewayContainer(secret pulumi.StringInput) *corev1.ContainerArgs {
	probe := kube.HTTPProbe(gatewayHealth, "s3", kube.ProbeTiming{Period: 5, Timeout: 3, FailureThreshold: 6})
	return &corev1.ContainerArgs{
		Name:    pulumi.String("versitygw"),
		Image:   pulumi.String(gatewayImage),
		Command: pulumi.ToStringArray([]string{"/usr/local/bin/versitygw"}),
		Args: pulumi.ToStringArray([]string{
			fmt.Sprintf("--port=:%d", gatewayPort), "--region=" + gatewayRegion, "--health=" + gatewayHealth, "--quiet",
			"posix", gatewayRoot,
		}),
		Env: corev1.EnvVarArray{
			kube.EnvFromSecret("ROOT_ACCESS_KEY_ID", secret.ToStringOutput(), kube.KeyAccessKeyID),
			kube.EnvFromSecret("ROOT_SECRET_ACCESS_KEY", secret.ToStringOutput(), kube.KeySecretAccessKey),
		},
		Ports: corev1.ContainerPortArray{&corev1.ContainerPortArgs{
			Name:          pulumi.String("s3"),
			ContainerPort: pulumi.Int(gatewayPort),
		}},
		ReadinessProbe: probe,
		LivenessProbe:  probe,
		Resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "20m", Memory: "64Mi"},
			Limits:   kube.ResourceList{Memory: "512Mi"},
		}.Args(),
		SecurityContext: kube.ContainerSecurity(),
		VolumeMounts: corev1.VolumeMountArray{
			&corev1.VolumeMountArgs{Name: pulumi.String(gatewayLocks), MountPath: pulumi.String(gatewayRoot)},
			&corev1.VolumeMountArgs{
				Name:      pulumi.String(gatewayVolume),
				MountPath: pulumi.String(gatewayRoot + "/" + gatewayBucket),
				SubPath:   pulumi.String(gatewayBucket),
			},
		},
	}
}

func gatewayService(meta kube.Metadata) *corev1.ServiceArgs {
	return &corev1.ServiceArgs{
		Metadata: meta.Args(),
		Spec: &corev1.ServiceSpecArgs{
			Selector: kube.StringMap(kube.Selector(gatewayName)),
			Ports: corev1.ServicePortArray{&corev1.ServicePortArgs{
				Name:       pulumi.String("s3"),
				Port:       pulumi.Int(gatewayPort),
				TargetPort: pulumi.String("s3"),
			}},
		},
	}
}
