package rediscluster

import (
	"strconv"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const (
	// uid is the user and group redis of the official image.
	uid = 999
	// stopSeconds is what a node gets to stop: 15 to hand over (stop.sh), 10 to bring its follower up to date
	// (shutdown-timeout in redis.conf), and the rest to write its file to disk.
	stopSeconds = 45

	scriptVolume, scriptPath = "scripts", "/opt/redis"
	dataVolume, dataPath     = "data", "/data"
	// runVolume holds the configuration with the passwords, in memory.
	runVolume, runPath = "run", "/run/redis"
)

// podParts are the objects that the pods refer to, by name, and the checksum of the scripts.
type podParts struct {
	appSecret, operatorSecret, exporterSecret, scripts pulumi.StringOutput
	checksum                                           string
}

func podTemplate(args Args, r role, parts podParts) *corev1.PodTemplateSpecArgs {
	return &corev1.PodTemplateSpecArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Labels: kube.StringMap(kube.Merge(args.labels(), r.selector())),
			Annotations: pulumi.ToStringMap(map[string]string{
				"checksum/scripts":     parts.checksum,
				"prometheus.io/scrape": "true",
			}),
		},
		Spec: &corev1.PodSpecArgs{
			AutomountServiceAccountToken:  pulumi.Bool(false),
			EnableServiceLinks:            pulumi.Bool(false),
			TerminationGracePeriodSeconds: pulumi.Int(stopSeconds),
			SecurityContext:               kube.PodSecurity(uid),
			Affinity:                      affinity(r),
			TopologySpreadConstraints:     kube.SpreadAcrossZones(r.selector()),
			Volumes:                       volumes(parts),
			Containers: corev1.ContainerArray{
				redisContainer(args, parts),
				agentContainer(args, parts),
				exporterContainer(parts),
			},
		},
	}
}

func redisContainer(args Args, parts podParts) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name:    pulumi.String("redis"),
		Image:   pulumi.String(args.Image),
		Command: pulumi.ToStringArray([]string{scriptPath + "/start.sh"}),
		Ports: corev1.ContainerPortArray{
			&corev1.ContainerPortArgs{Name: pulumi.String("redis"), ContainerPort: pulumi.Int(port)},
			&corev1.ContainerPortArgs{Name: pulumi.String("bus"), ContainerPort: pulumi.Int(busPort)},
		},
		Env: append(commonEnv(args, parts),
			kube.Env("DATA_DIR", dataPath),
			kube.Env("RUN_DIR", runPath),
			kube.Env("MAXMEMORY", strconv.FormatInt(args.maxMemory(), 10)),
			kube.Env("APP_USERNAME", Username),
			kube.EnvFromSecret("APP_PASSWORD", parts.appSecret, PasswordKey),
			kube.EnvFromSecret("EXPORTER_PASSWORD", parts.exporterSecret, PasswordKey),
		),
		Resources:       args.Resources.Args(),
		SecurityContext: kube.ContainerSecurity(),
		StartupProbe:    probe("alive.sh", kube.ProbeTiming{Period: 1, Timeout: 5, FailureThreshold: 60}),
		LivenessProbe:   probe("alive.sh", kube.ProbeTiming{Period: 20, Timeout: 5, FailureThreshold: 6}),
		ReadinessProbe:  probe("ready.sh", kube.ProbeTiming{Period: 10, Timeout: 5, FailureThreshold: 2}),
		Lifecycle: &corev1.LifecycleArgs{PreStop: &corev1.LifecycleHandlerArgs{
			Exec: &corev1.ExecActionArgs{Command: pulumi.ToStringArray([]string{scriptPath + "/stop.sh"})},
		}},
		VolumeMounts: corev1.VolumeMountArray{
			scriptMount(),
			&corev1.VolumeMountArgs{Name: pulumi.String(dataVolume), MountPath: pulumi.String(dataPath)},
			&corev1.VolumeMountArgs{Name: pulumi.String(runVolume), MountPath: pulumi.String(runPath)},
		},
	}
}

// agentContainer is an ordinary container and not a restartable init container: those stop last, and the agent has to
// stop first, so that it does not take back the leadership that stop.sh hands over.
func agentContainer(args Args, parts podParts) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name:    pulumi.String("agent"),
		Image:   pulumi.String(args.Image),
		Command: pulumi.ToStringArray([]string{scriptPath + "/agent.sh"}),
		Env:     commonEnv(args, parts),
		Resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "10m", Memory: "16Mi"},
			Limits:   kube.ResourceList{CPU: "250m", Memory: "64Mi"},
		}.Args(),
		SecurityContext: kube.ContainerSecurity(),
		VolumeMounts:    corev1.VolumeMountArray{scriptMount()},
	}
}

// commonEnv is what lib.sh and agent.sh document.
func commonEnv(args Args, parts podParts) corev1.EnvVarArray {
	return corev1.EnvVarArray{
		envFromField("POD_NAME", "metadata.name"),
		envFromField("POD_IP", "status.podIP"),
		kube.Env("REDIS_PORT", strconv.Itoa(port)),
		kube.Env("SELF", args.endpoint("$(POD_NAME)")),
		kube.Env("LEADERS", strings.Join(args.endpoints(leader), " ")),
		kube.Env("FOLLOWERS", strings.Join(args.endpoints(follower), " ")),
		kube.EnvFromSecret("REDISCLI_AUTH", parts.operatorSecret, PasswordKey),
	}
}

func envFromField(name, path string) *corev1.EnvVarArgs {
	return &corev1.EnvVarArgs{
		Name: pulumi.String(name),
		ValueFrom: &corev1.EnvVarSourceArgs{
			FieldRef: &corev1.ObjectFieldSelectorArgs{FieldPath: pulumi.String(path)},
		},
	}
}

func probe(script string, timing kube.ProbeTiming) *corev1.ProbeArgs {
	return kube.ExecProbe([]string{scriptPath + "/" + script}, timing)
}

func scriptMount() *corev1.VolumeMountArgs {
	return &corev1.VolumeMountArgs{
		Name:      pulumi.String(scriptVolume),
		MountPath: pulumi.String(scriptPath),
		ReadOnly:  pulumi.Bool(true),
	}
}

func volumes(parts podParts) corev1.VolumeArray {
	return corev1.VolumeArray{
		&corev1.VolumeArgs{
			Name: pulumi.String(scriptVolume),
			ConfigMap: &corev1.ConfigMapVolumeSourceArgs{
				Name:        parts.scripts,
				DefaultMode: pulumi.Int(0o555),
			},
		},
		&corev1.VolumeArgs{
			Name: pulumi.String(runVolume),
			EmptyDir: &corev1.EmptyDirVolumeSourceArgs{
				Medium:    pulumi.String("Memory"),
				SizeLimit: pulumi.String("1Mi"),
			},
		},
	}
}
