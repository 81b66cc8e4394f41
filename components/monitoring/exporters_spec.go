package monitoring

import (
	"strings"

	"agentstack/internal/kube"
)

// collected are the kinds that kube-state-metrics tells about, by API group. It may read nothing else.
var collected = []struct {
	group string
	kinds []string
}{
	{"", []string{"nodes", "persistentvolumeclaims", "pods"}},
	{"apps", []string{"daemonsets", "deployments", "statefulsets"}},
	{"autoscaling", []string{"horizontalpodautoscalers"}},
	{"batch", []string{"cronjobs", "jobs"}},
}

func kubeState(args Args) program {
	var kinds []string
	for _, collected := range collected {
		kinds = append(kinds, collected.kinds...)
	}
	return program{
		name: nameKubeState, namespace: args.Namespace, image: imageKubeState, user: userPrometheus, replicas: 1,
		args: []string{"--resources=" + strings.Join(kinds, ",")},
		port: portKubeState,
		// Its own /livez and /readyz want more than /healthz: that the API server answers.
		ready: "/healthz",
		alive: "/healthz",
		resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "10m", Memory: "32Mi"},
			Limits:   kube.ResourceList{Memory: "256Mi"},
		},
		token: true,
	}
}

func kubeStateTraffic(args Args) (ingress, egress []kube.Traffic) {
	return []kube.Traffic{between(args.Namespace, namePrometheus, portKubeState)},
		[]kube.Traffic{kube.DNS(), kube.APIServer()}
}

// nodeCollectors are what node-exporter reads. The others, such as that of network devices, would have to share
// the machine's network or process namespace.
var nodeCollectors = []string{
	"cpu", "diskstats", "filesystem", "loadavg", "meminfo", "pressure", "stat", "time", "uname", "vmstat",
}

func nodeExporter(args Args) program {
	flags := []string{
		"--path.procfs=/host/proc", "--path.sysfs=/host/sys", "--path.rootfs=/host/root",
		"--collector.filesystem.mount-points-exclude=^/(dev|proc|run|sys|var/lib/.+)($|/)",
		"--collector.disable-defaults",
	}
	for _, collector := range nodeCollectors {
		flags = append(flags, "--collector."+collector)
	}
	// File systems that are mounted later are not seen: that takes mount propagation, which some machines do not allow
	// for their root. Those of volumes are measured by the kubelet anyway.
	root := hostPath("root", "/host/root", "/", "Directory")
	return program{
		name: nameNodeExporter, namespace: args.NodeNamespace, image: imageNodeExporter, user: userPrometheus,
		args:  flags,
		port:  portNodeExporter,
		ready: "/", alive: "/",
		resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "10m", Memory: "16Mi"},
			Limits:   kube.ResourceList{Memory: "64Mi"},
		},
		volumes: []volume{
			hostPath("proc", "/host/proc", "/proc", "Directory"),
			hostPath("sys", "/host/sys", "/sys", "Directory"),
			root,
		},
	}
}

// nodeExporterIngress is all that node-exporter needs: it connects to nobody.
func nodeExporterIngress(args Args) []kube.Traffic {
	return []kube.Traffic{between(args.Namespace, namePrometheus, portNodeExporter)}
}
