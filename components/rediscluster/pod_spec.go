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
	// tlsVolume has the key of the nodes and caVolume only the authority; a container has one of them at tlsPath.
	tlsVolume, caVolume, tlsPath = "tls", "tls-ca", "/run/secrets/redis"
)

// podParts are what the pods refer to: Secrets by name, and the scripts with their checksum.
type podParts struct {
	appSecret, operatorSecret, exporterSecret pulumi.StringOutput
	scripts                                   pulumi.Resource
	checksum                                  string
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
			Volumes:                       volumes(args),
			Containers: corev1.ContainerArray{
				redisContainer(args, parts),
				agentContainer(args, parts),
				exporterContainer(args, parts),
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
		Env: append(podEnv(args, parts),
			kube.Env("DATA_DIR", dataPath),
			kube.Env("RUN_DIR", runPath),
			kube.Env("MAXMEMORY", strconv.FormatInt(args.maxMemory(), 10)),
			kube.Env("MAXMEMORY_POLICY", args.EvictionPolicy),
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
		VolumeMounts: append(mounts(args, tlsVolume),
			&corev1.VolumeMountArgs{Name: pulumi.String(dataVolume), MountPath: pulumi.String(dataPath)},
			&corev1.VolumeMountArgs{Name: pulumi.String(runVolume), MountPath: pulumi.String(runPath)},
		),
	}
}

// agentContainer is an ordinary container and not a restartable init container: those stop last, and the agent has to
// stop first, so that it does not take back the leadership that stop.sh hands over.
func agentContainer(args Args, parts podParts) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name:    pulumi.String("agent"),
		Image:   pulumi.String(args.Image),
		Command: pulumi.ToStringArray([]string{scriptPath + "/agent.sh"}),
		Env:     podEnv(args, parts),
		Resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "10m", Memory: "16Mi"},
			Limits:   kube.ResourceList{CPU: "250m", Memory: "64Mi"},
		}.Args(),
		SecurityContext: kube.ContainerSecurity(),
		VolumeMounts:    mounts(args, caVolume),
	}
}

// podEnv is what the scripts of a node need.
func podEnv(args Args, parts podParts) corev1.EnvVarArray {
	return append(clientEnv(args, parts),
		envFromField("POD_NAME", "metadata.name"),
		envFromField("POD_IP", "status.podIP"),
		kube.Env("REDIS_PORT", strconv.Itoa(port)),
		kube.Env("SELF", args.endpoint("$(POD_NAME)")),
		kube.Env("FOLLOWERS", strings.Join(args.endpoints(args.followers()...), " ")),
	)
}

// clientEnv is what lib.sh needs to ask the nodes.
func clientEnv(args Args, parts podParts) corev1.EnvVarArray {
	env := corev1.EnvVarArray{
		kube.Env("LEADERS", strings.Join(args.endpoints(leader), " ")),
		kube.EnvFromSecret("REDISCLI_AUTH", parts.operatorSecret, PasswordKey),
	}
	if args.TLSSecretName != "" {
		env = append(env, kube.Env("TLS_DIR", tlsPath))
	}
	return env
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

// mounts are the scripts, and for TLS one of the volumes tlsVolume and caVolume.
func mounts(args Args, tls string) corev1.VolumeMountArray {
	mounts := corev1.VolumeMountArray{&corev1.VolumeMountArgs{
		Name:      pulumi.String(scriptVolume),
		MountPath: pulumi.String(scriptPath),
		ReadOnly:  pulumi.Bool(true),
	}}
	if args.TLSSecretName != "" {
		mounts = append(mounts, kube.CAMount(tls, tlsPath))
	}
	return mounts
}

func volumes(args Args) corev1.VolumeArray {
	volumes := append(clientVolumes(args), &corev1.VolumeArgs{
		Name: pulumi.String(runVolume),
		EmptyDir: &corev1.EmptyDirVolumeSourceArgs{
			Medium:    pulumi.String("Memory"),
			SizeLimit: pulumi.String("1Mi"),
		},
	})
	if args.TLSSecretName != "" {
		volumes = append(volumes, &corev1.VolumeArgs{
			Name:   pulumi.String(tlsVolume),
			Secret: &corev1.SecretVolumeSourceArgs{SecretName: pulumi.String(args.TLSSecretName)},
		})
	}
	return volumes
}

// clientVolumes are what mounts mounts into a container that has no key of its own. The name of the scripts is the
// plain one: a Job that depended on the ConfigMap's output would be replaced with it.
func clientVolumes(args Args) corev1.VolumeArray {
	volumes := corev1.VolumeArray{&corev1.VolumeArgs{
		Name: pulumi.String(scriptVolume),
		ConfigMap: &corev1.ConfigMapVolumeSourceArgs{
			Name:        pulumi.String(Name),
			DefaultMode: pulumi.Int(0o555),
		},
	}}
	if args.TLSSecretName != "" {
		volumes = append(volumes, kube.CAVolume(caVolume, args.TLSSecretName))
	}
	return volumes
}
