package monitoring

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// collector reads the log files of all pods of its machine. Those belong to root, and nobody else may read them: so it
// runs as root, without any of root's capabilities.
func collector(args Args, config pulumi.StringPtrInput) program {
	const stateFolder = "/var/lib/opentelemetry-collector"
	state := hostPath("state", stateFolder, stateFolder, "DirectoryOrCreate")
	state.writable = true
	return program{
		name: nameCollector, namespace: args.NodeNamespace, image: imageCollector, user: 0,
		args: []string{"--config=/etc/otelcol/collector.yaml"},
		env:  corev1.EnvVarArray{fromField("NODE_NAME", "spec.nodeName"), kube.Env("GOMEMLIMIT", "160MiB")},
		port: portCollector,
		// Probes have a port of their own: that of the metrics listens even when the pipeline does not work.
		healthPort: portHealth,
		ready:      "/", alive: "/",
		resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "20m", Memory: "64Mi"},
			Limits:   kube.ResourceList{Memory: "200Mi"},
		},
		volumes: []volume{
			configured("config", "/etc/otelcol", config),
			hostPath("logs", "/var/log/pods", "/var/log/pods", "Directory"),
			state,
		},
	}
}

func collectorTraffic(args Args) (ingress, egress []kube.Traffic) {
	return []kube.Traffic{between(args.Namespace, namePrometheus, portCollector)},
		[]kube.Traffic{kube.DNS(), between(args.Namespace, nameLoki, portLoki)}
}

func loki(args Args, config pulumi.StringPtrInput) program {
	p := program{
		name: nameLoki, namespace: args.Namespace, image: imageLoki, user: userLoki, replicas: 1,
		args: []string{"-config.file=/etc/loki/loki.yaml", "-target=all"},
		port: portLoki,
		// Ready only 15 s after it has joined its own ring.
		ready: "/ready",
		alive: "/loki/api/v1/status/buildinfo",
		resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "50m", Memory: "128Mi"},
			Limits:   kube.ResourceList{Memory: "1Gi"},
		},
		volumes: []volume{
			configured("config", "/etc/loki", config), claimed("/loki"), scratch("tmp", "/tmp", "64Mi"),
		},
	}
	if args.LogStore != nil && args.LogStore.SecretName != nil {
		secret := args.LogStore.SecretName.ToStringOutput().ToStringPtrOutput()
		p.args = append(p.args, "-config.expand-env=true")
		p.env = corev1.EnvVarArray{
			kube.EnvFromSecret("ACCESS_KEY_ID", secret, kube.KeyAccessKeyID),
			kube.EnvFromSecret("SECRET_ACCESS_KEY", secret, kube.KeySecretAccessKey),
		}
	}
	return p
}

func lokiTraffic(args Args) (ingress, egress []kube.Traffic) {
	ingress = []kube.Traffic{
		between(args.NodeNamespace, nameCollector, portLoki),
		between(args.Namespace, nameGrafana, portLoki),
		between(args.Namespace, namePrometheus, portLoki),
	}
	if args.LogStore == nil {
		return ingress, nil
	}
	// The store is a gateway inside the cluster, or AWS, where the pod gets its identity from a link-local address.
	return ingress, []kube.Traffic{kube.DNS(), {Peers: []kube.Peer{anyone}}}
}
