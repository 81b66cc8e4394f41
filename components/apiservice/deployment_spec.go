package apiservice

import (
	"time"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// A pod that is told to stop goes on serving for shutdownDelay, until every node has taken it out of the
// Service, and then gives open requests shutdownTimeout to end. The image has no shell for a preStop hook.
// Both fit into the grace period, after which the kubelet kills the process.
const (
	shutdownDelay    = 10 * time.Second
	shutdownTimeout  = 45 * time.Second
	terminationGrace = 60 * time.Second
)

// surge is how many pods more than its replicas the API has while it is rolled out.
const surge = 1

// user is the numeric user of the image.
const user = 65532

// redisCA is the volume with the authority of Redis' certificates, and redisCAPath where it is mounted.
const (
	redisCA     = "redis-ca"
	redisCAPath = "/run/secrets/redis"
)

// references names the objects that the pods take their configuration from.
type references struct {
	configMap, secret pulumi.StringPtrInput
}

// deploymentArgs leaves the number of pods to the autoscaler: with spec.replicas, each update would set it back. A new
// Deployment has one pod, until the autoscaler sees it.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#replicas
//
// That of a canary has another name, and the judge in the autoscaler's place.
func deploymentArgs(args Args, name string, refs references) *appsv1.DeploymentArgs {
	return &appsv1.DeploymentArgs{
		Metadata: workload(args, name).Args(),
		Spec: &appsv1.DeploymentSpecArgs{
			RevisionHistoryLimit: pulumi.Int(5),
			Selector:             kube.MatchLabels(kube.Selector(name)),
			Strategy: &appsv1.DeploymentStrategyArgs{
				Type: pulumi.String("RollingUpdate"),
				RollingUpdate: &appsv1.RollingUpdateDeploymentArgs{
					MaxSurge:       pulumi.Int(surge),
					MaxUnavailable: pulumi.Int(0),
				},
			},
			Template: &corev1.PodTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{
					Labels: kube.StringMap(workload(args, name).Labels),
					Annotations: pulumi.ToStringMap(map[string]string{
						"prometheus.io/scrape": "true",
						"prometheus.io/port":   "8000",
						"prometheus.io/path":   "/metrics",
					}),
				},
				Spec: podSpec(args, name, refs),
			},
		},
	}
}

func podSpec(args Args, name string, refs references) *corev1.PodSpecArgs {
	return &corev1.PodSpecArgs{
		ServiceAccountName:            pulumi.String(appName),
		AutomountServiceAccountToken:  pulumi.Bool(false),
		EnableServiceLinks:            pulumi.Bool(false),
		TerminationGracePeriodSeconds: pulumi.Int(int(terminationGrace.Seconds())),
		SecurityContext:               kube.PodSecurity(user),
		Affinity:                      kube.SpreadAcrossHosts(kube.Selector(name)),
		TopologySpreadConstraints:     kube.SpreadAcrossZones(kube.Selector(name)),
		Tolerations:                   tolerations(args.NodeType),
		Containers:                    corev1.ContainerArray{containerArgs(args, refs)},
		Volumes:                       volumes(args),
	}
}

func volumes(args Args) corev1.VolumeArray {
	volumes := corev1.VolumeArray{
		&corev1.VolumeArgs{
			Name:     pulumi.String("tmp"),
			EmptyDir: &corev1.EmptyDirVolumeSourceArgs{SizeLimit: pulumi.String("100Mi")},
		},
		args.Database.Volume(),
	}
	if args.Redis.TLSSecretName != "" {
		volumes = append(volumes, kube.CAVolume(redisCA, args.Redis.TLSSecretName))
	}
	return volumes
}

func mounts(args Args) corev1.VolumeMountArray {
	mounts := corev1.VolumeMountArray{
		&corev1.VolumeMountArgs{Name: pulumi.String("tmp"), MountPath: pulumi.String("/tmp")},
		args.Database.Mount(),
	}
	if args.Redis.TLSSecretName != "" {
		mounts = append(mounts, kube.CAMount(redisCA, redisCAPath))
	}
	return mounts
}

func containerArgs(args Args, refs references) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name:            pulumi.String("api"),
		Image:           args.Image,
		ImagePullPolicy: pulumi.String("IfNotPresent"),
		Args:            pulumi.ToStringArray([]string{"serve"}),
		Ports: corev1.ContainerPortArray{&corev1.ContainerPortArgs{
			Name:          pulumi.String("http"),
			ContainerPort: pulumi.Int(port),
			Protocol:      pulumi.String("TCP"),
		}},
		EnvFrom: corev1.EnvFromSourceArray{&corev1.EnvFromSourceArgs{
			ConfigMapRef: &corev1.ConfigMapEnvSourceArgs{Name: refs.configMap},
		}},
		Env:             secretEnv(args, refs),
		Resources:       args.Resources.Args(),
		SecurityContext: kube.ContainerSecurity(),
		LivenessProbe: kube.HTTPProbe("/livez", "http",
			kube.ProbeTiming{InitialDelay: 30, Period: 10, Timeout: 5, FailureThreshold: 3}),
		ReadinessProbe: kube.HTTPProbe("/ready", "http",
			kube.ProbeTiming{InitialDelay: 5, Period: 5, Timeout: 3, FailureThreshold: 3}),
		StartupProbe: kube.HTTPProbe("/livez", "http",
			kube.ProbeTiming{InitialDelay: 5, Period: 5, Timeout: 3, FailureThreshold: 30}),
		VolumeMounts: mounts(args),
	}
}

// secretEnv returns the environment variables of the API that are secret.
func secretEnv(args Args, refs references) corev1.EnvVarArray {
	env := corev1.EnvVarArray{
		databaseURL(args, kube.KeyURI),
		kube.EnvFromSecret("REDIS_PASSWORD", args.Redis.SecretName.ToStringOutput(), "password"),
	}
	for _, name := range append(sortedKeys(args.keys()), jwtKeysVariable, signupTokenVariable) {
		env = append(env, kube.EnvFromSecret(name, refs.secret, name))
	}
	return env
}

// databaseURL is a connection URL in the database's Secret.
func databaseURL(args Args, key string) *corev1.EnvVarArgs {
	return kube.EnvFromSecret("DATABASE_URL", args.Database.SecretName.ToStringOutput(), key)
}

func tolerations(nodeType string) corev1.TolerationArray {
	if nodeType == "" {
		return nil
	}
	return corev1.TolerationArray{&corev1.TolerationArgs{
		Key:      pulumi.String("node-type"),
		Operator: pulumi.String("Equal"),
		Value:    pulumi.String(nodeType),
		Effect:   pulumi.String("NoSchedule"),
	}}
}
