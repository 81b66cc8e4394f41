package rediscluster

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const exporterImage = "docker.io/oliver006/redis_exporter:v1.69.0"

// exporterContainer turns the counters of the pod's node into metrics. It has no readiness probe: a node serves as well
// without it. It asks only for what the user "exporter" may see (start.sh), not for the configuration.
func exporterContainer(args Args, parts podParts) *corev1.ContainerArgs {
	env := corev1.EnvVarArray{
		kube.Env("REDIS_USER", "exporter"),
		kube.EnvFromSecret("REDIS_PASSWORD", parts.exporterSecret, PasswordKey),
		kube.Env("REDIS_EXPORTER_CONFIG_COMMAND", "-"),
		kube.Env("REDIS_EXPORTER_SET_CLIENT_NAME", "false"),
	}
	container := &corev1.ContainerArgs{
		Name:  pulumi.String("exporter"),
		Image: pulumi.String(exporterImage),
		Ports: corev1.ContainerPortArray{
			&corev1.ContainerPortArgs{Name: pulumi.String("metrics"), ContainerPort: pulumi.Int(metricsPort)},
		},
		Resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "10m", Memory: "32Mi"},
			Limits:   kube.ResourceList{Memory: "64Mi"},
		}.Args(),
		SecurityContext: kube.ContainerSecurity(),
		LivenessProbe: kube.HTTPProbe("/health", "metrics",
			kube.ProbeTiming{Period: 20, Timeout: 5, FailureThreshold: 6}),
	}
	if args.TLSSecretName == "" {
		container.Env = append(env, kube.Env("REDIS_ADDR", fmt.Sprintf("redis://127.0.0.1:%d", port)))
		return container
	}
	// By the pod's own name, which the certificate has anyway and the kubelet writes into the pod's hosts file.
	container.Env = append(env, envFromField("POD_NAME", "metadata.name"),
		kube.Env("REDIS_ADDR", "rediss://"+args.endpoint("$(POD_NAME)")),
		kube.Env("REDIS_EXPORTER_TLS_CA_CERT_FILE", tlsPath+"/"+kube.CAFile))
	container.VolumeMounts = corev1.VolumeMountArray{kube.CAMount(caVolume, tlsPath)}
	return container
}
