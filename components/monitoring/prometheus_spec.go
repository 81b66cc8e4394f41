package monitoring

import (
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/resource"

	"agentstack/internal/kube"
)

// prometheus returns the program; config names the ConfigMap with its files.
func prometheus(args Args, config pulumi.StringPtrInput) program {
	size := resource.MustParse(args.Storage.Size)
	return program{
		name: namePrometheus, namespace: args.Namespace, image: imagePrometheus, user: userPrometheus, replicas: 1,
		args: []string{
			"--config.file=/etc/prometheus/prometheus.yml",
			"--storage.tsdb.path=/prometheus",
			"--storage.tsdb.retention.time=" + args.Retention,
			// The rest of the volume is for the write-ahead log and for blocks that are being merged.
			"--storage.tsdb.retention.size=" + strconv.FormatInt(size.Value()/5*4, 10) + "B",
		},
		port:  portPrometheus,
		ready: "/-/ready",
		alive: "/-/healthy",
		// Reading the write-ahead log of a large Prometheus takes minutes.
		startSeconds: 900,
		resources:    args.Resources,
		volumes:      []volume{configured("config", "/etc/prometheus", config), claimed("/prometheus")},
		token:        true,
	}
}

// prometheusTraffic lets Grafana, the adapter and the judge of canaries ask, and lets Prometheus reach its targets, the
// kubelets and the API server.
func prometheusTraffic(args Args) (ingress, egress []kube.Traffic) {
	ingress = []kube.Traffic{
		between(args.Namespace, nameGrafana, portPrometheus), between(args.Namespace, namePrometheus, portPrometheus),
		between(args.Namespace, nameAdapter, portPrometheus),
		between(args.AppNamespace, "ai-agent-api-judge", portPrometheus),
	}
	egress = []kube.Traffic{
		kube.DNS(), kube.APIServer(),
		// Targets are found by the name of their port, and any number will do.
		{Peers: []kube.Peer{
			{Namespace: args.AppNamespace}, {Namespace: args.Namespace}, {Namespace: args.NodeNamespace},
		}},
		{
			Peers: []kube.Peer{{Namespace: args.EdgeNamespace, Pods: kube.EnvoyPods}},
			Ports: []kube.Port{{Number: portEnvoy}},
		},
		// Machines are no pods.
		{Peers: []kube.Peer{anyone}, Ports: []kube.Port{{Number: portKubelet}}},
	}
	return ingress, egress
}
