package monitoring

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// component is the role of all these programs in the architecture.
const component = "monitoring"

// program is one container that runs alone in its pods.
type program struct {
	name, namespace, image string
	user                   int
	args                   []string
	env                    corev1.EnvVarArray
	// port serves requests and metrics. With tls it serves HTTPS, and no metrics: nobody scrapes it.
	port int
	tls  bool
	// ready and alive are paths that answer when the program can be used, and when it runs. They are on port, or on
	// healthPort if that is set.
	ready, alive string
	healthPort   int
	// startSeconds is how long it may take until it is alive, at least 120.
	startSeconds int
	resources    kube.Resources
	volumes      []volume
	// token mounts the token of its ServiceAccount.
	token bool
	// annotations of the pods.
	annotations map[string]string
	// replicas of a StatefulSet or Deployment.
	replicas int
}

// volume is a volume and where the container sees it.
type volume struct {
	name, path string
	writable   bool
	// source is nil for a claim of the StatefulSet.
	source *corev1.VolumeArgs
}

const dataVolume = "data"

func claimed(path string) volume { return volume{name: dataVolume, path: path, writable: true} }

// configured is a folder with the files that a ConfigMap has under keys, or with all of its files.
func configured(name, path string, configMap pulumi.StringPtrInput, keys ...string) volume {
	var items corev1.KeyToPathArray
	for _, key := range keys {
		items = append(items, &corev1.KeyToPathArgs{Key: pulumi.String(key), Path: pulumi.String(key)})
	}
	return volume{name: name, path: path, source: &corev1.VolumeArgs{
		ConfigMap: &corev1.ConfigMapVolumeSourceArgs{Name: configMap, Items: items},
	}}
}

func hostPath(name, path, onHost, kind string) volume {
	return volume{name: name, path: path, source: &corev1.VolumeArgs{
		HostPath: &corev1.HostPathVolumeSourceArgs{Path: pulumi.String(onHost), Type: pulumi.String(kind)},
	}}
}

func scratch(name, path, size string) volume {
	return volume{name: name, path: path, writable: true, source: &corev1.VolumeArgs{
		EmptyDir: &corev1.EmptyDirVolumeSourceArgs{SizeLimit: pulumi.String(size)},
	}}
}

func (p program) selector() map[string]string { return kube.Selector(p.name) }

func (p program) podTemplate(args Args) *corev1.PodTemplateSpecArgs {
	metadata := &metav1.ObjectMetaArgs{Labels: kube.StringMap(kube.Labels(p.name, component, args.Region))}
	if len(p.annotations) > 0 {
		metadata.Annotations = kube.StringMap(p.annotations)
	}
	return &corev1.PodTemplateSpecArgs{
		Metadata: metadata,
		Spec: &corev1.PodSpecArgs{
			ServiceAccountName:           pulumi.String(p.name),
			AutomountServiceAccountToken: pulumi.Bool(p.token),
			EnableServiceLinks:           pulumi.Bool(false),
			SecurityContext:              p.podSecurity(),
			Affinity:                     p.affinity(),
			Containers:                   corev1.ContainerArray{p.container()},
			Volumes:                      p.podVolumes(),
		},
	}
}

// podSecurity differs from the restricted profile for the one program that must be root.
func (p program) podSecurity() *corev1.PodSecurityContextArgs {
	security := kube.PodSecurity(p.user)
	if p.user == 0 {
		security.RunAsNonRoot = pulumi.Bool(false)
	}
	return security
}

func (p program) affinity() *corev1.AffinityArgs {
	if p.replicas < 2 {
		return nil
	}
	return kube.SpreadAcrossHosts(p.selector())
}

func (p program) container() *corev1.ContainerArgs {
	probed, probe := p.portName(), kube.HTTPProbe
	if p.tls {
		probe = kube.HTTPSProbe
	}
	ports := corev1.ContainerPortArray{
		&corev1.ContainerPortArgs{Name: pulumi.String(probed), ContainerPort: pulumi.Int(p.port)},
	}
	if p.healthPort != 0 {
		probed = "health"
		ports = append(ports, &corev1.ContainerPortArgs{
			Name: pulumi.String(probed), ContainerPort: pulumi.Int(p.healthPort),
		})
	}
	const start, period, timeout = 2, 10, 5 // seconds
	return &corev1.ContainerArgs{
		Name:            pulumi.String(p.name),
		Image:           pulumi.String(p.image),
		Args:            pulumi.ToStringArray(p.args),
		Env:             p.env,
		Ports:           ports,
		Resources:       p.resources.Args(),
		SecurityContext: kube.ContainerSecurity(),
		StartupProbe: probe(p.alive, probed, kube.ProbeTiming{
			Period: start, Timeout: timeout, FailureThreshold: max(p.startSeconds, 120) / start,
		}),
		LivenessProbe: probe(p.alive, probed, kube.ProbeTiming{
			Period: period, Timeout: timeout, FailureThreshold: 6,
		}),
		ReadinessProbe: probe(p.ready, probed, kube.ProbeTiming{
			Period: period, Timeout: timeout, FailureThreshold: 3,
		}),
		VolumeMounts: p.mounts(),
	}
}

func (p program) portName() string {
	if p.tls {
		return tlsPort
	}
	return metricsPort
}

func (p program) mounts() corev1.VolumeMountArray {
	var mounts corev1.VolumeMountArray
	for _, v := range p.volumes {
		mount := &corev1.VolumeMountArgs{Name: pulumi.String(v.name), MountPath: pulumi.String(v.path)}
		if !v.writable {
			mount.ReadOnly = pulumi.Bool(true)
		}
		mounts = append(mounts, mount)
	}
	return mounts
}

func (p program) podVolumes() corev1.VolumeArray {
	var volumes corev1.VolumeArray
	for _, v := range p.volumes {
		if v.source != nil {
			source := *v.source
			source.Name = pulumi.String(v.name)
			volumes = append(volumes, &source)
		}
	}
	return volumes
}
