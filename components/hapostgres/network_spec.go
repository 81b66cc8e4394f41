package hapostgres

import "agentstack/internal/kube"

// Ports of an instance: PostgreSQL, the operator's control of it, and its metrics. A pool listens where PostgreSQL
// does, and has metrics of its own.
const (
	port              = 5432
	controlPort       = 8000
	metricsPort       = 9187
	poolerMetricsPort = 9127
)

// Labels that the operator sets. https://cloudnative-pg.io/documentation/1.28/labels_annotations/#predefined-labels
const (
	labelCluster = "cnpg.io/cluster"
	labelPodRole = "cnpg.io/podRole"
	labelPooler  = "cnpg.io/poolerName"
)

// pods are all pods of the cluster.
func (a Args) pods() map[string]string { return map[string]string{labelCluster: a.Name} }

// instancePods are the pods with PostgreSQL.
func (a Args) instancePods() map[string]string {
	return map[string]string{labelCluster: a.Name, labelPodRole: "instance"}
}

// databasePods are the instances, and the jobs that make their data.
func (a Args) databasePods() map[string]string {
	return map[string]string{labelCluster: a.Name, kube.LabelComponent: "database"}
}

// poolerPods are those of both pools.
func (a Args) poolerPods() map[string]string {
	return map[string]string{labelCluster: a.Name, labelPodRole: "pooler"}
}

func workloads(names ...string) []kube.Peer {
	var peers []kube.Peer
	for _, name := range names {
		peers = append(peers, kube.Peer{Pods: kube.Selector(name)})
	}
	return peers
}

func databaseIngress(args Args) []kube.Traffic {
	clients := append(workloads("ai-agent-api-migrate", "ai-agent-backup"), kube.Peer{Pods: args.poolerPods()})
	if args.guarded() {
		clients = append(clients, workloads(args.guardName())...)
	}
	operator := kube.Peer{Namespace: "cnpg-system", Pods: kube.Selector("cloudnative-pg")}
	return []kube.Traffic{
		{Peers: clients, Ports: []kube.Port{{Number: port}}},
		{
			Peers: []kube.Peer{{Pods: args.databasePods()}, operator},
			Ports: []kube.Port{{Number: port}, {Number: controlPort}},
		},
		{Peers: []kube.Peer{kube.Prometheus()}, Ports: []kube.Port{{Number: metricsPort}}},
	}
}

func databaseEgress(args Args) []kube.Traffic {
	traffic := []kube.Traffic{
		kube.DNS(),
		kube.APIServer(),
		{Peers: []kube.Peer{{Pods: args.databasePods()}}, Ports: []kube.Port{{Number: port}, {Number: controlPort}}},
	}
	if args.Store != nil {
		traffic = append(traffic, args.Store.Traffic()...)
	}
	if args.Standby != nil {
		traffic = append(traffic, args.Standby.Store.Traffic()...)
	}
	return traffic
}

func poolerIngress() []kube.Traffic {
	return []kube.Traffic{
		{
			Peers: workloads("ai-agent-api", "ai-agent-api-canary", "ai-agent-backup"),
			Ports: []kube.Port{{Number: port}},
		},
		{Peers: []kube.Peer{kube.Prometheus()}, Ports: []kube.Port{{Number: poolerMetricsPort}}},
	}
}

// poolerEgress has the API server because a pool reads its own configuration there. The operator has no business with
// it.
func poolerEgress(args Args) []kube.Traffic {
	return []kube.Traffic{
		kube.DNS(),
		kube.APIServer(),
		{Peers: []kube.Peer{{Pods: args.databasePods()}}, Ports: []kube.Port{{Number: port}}},
	}
}
