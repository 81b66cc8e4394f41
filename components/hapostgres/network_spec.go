package hapostgres

import "agentstack/internal/kube"

// Ports of an instance: PostgreSQL, the operator's control of it, and its metrics.
const (
	port        = 5432
	controlPort = 8000
	metricsPort = 9187
)

// clients are the workloads that connect to the database.
var clients = []string{"ai-agent-api", "ai-agent-api-migrate", "ai-agent-backup"}

// instances are the labels of the cluster's pods, those of its jobs included. The operator sets them.
var instances = map[string]string{"cnpg.io/cluster": clusterName}

func ingress() []kube.Traffic {
	var peers []kube.Peer
	for _, client := range clients {
		peers = append(peers, kube.Peer{Pods: kube.Selector(client)})
	}
	operator := kube.Peer{Namespace: "cnpg-system", Pods: kube.Selector("cloudnative-pg")}
	control := []kube.Port{{Number: port}, {Number: controlPort}}
	return []kube.Traffic{
		{Peers: peers, Ports: []kube.Port{{Number: port}}},
		{Peers: []kube.Peer{{Pods: instances}, operator}, Ports: control},
		{Peers: []kube.Peer{kube.Prometheus()}, Ports: []kube.Port{{Number: metricsPort}}},
	}
}

func egress(args Args) []kube.Traffic {
	traffic := []kube.Traffic{
		kube.DNS(),
		kube.APIServer(),
		{Peers: []kube.Peer{{Pods: instances}}, Ports: []kube.Port{{Number: port}, {Number: controlPort}}},
	}
	if args.Store != nil {
		traffic = append(traffic, args.Store.Traffic()...)
	}
	if args.Standby != nil {
		traffic = append(traffic, args.Standby.Store.Traffic()...)
	}
	return traffic
}
