package rediscluster

import "agentstack/internal/kube"

// client is the workload that uses the cluster.
const client = "ai-agent-api"

func ingress() []kube.Traffic {
	return []kube.Traffic{
		{Peers: []kube.Peer{{Pods: kube.Selector(client)}}, Ports: []kube.Port{{Number: port}}},
		eachOther(),
		{Peers: []kube.Peer{{Pods: kube.Selector(reshard)}}, Ports: []kube.Port{{Number: port}}},
		{Peers: []kube.Peer{kube.Prometheus()}, Ports: []kube.Port{{Number: metricsPort}}},
	}
}

func egress() []kube.Traffic {
	return []kube.Traffic{kube.DNS(), eachOther()}
}

func reshardEgress() []kube.Traffic {
	return []kube.Traffic{
		kube.DNS(),
		{Peers: []kube.Peer{{Pods: kube.Selector(Name)}}, Ports: []kube.Port{{Number: port}}},
	}
}

func eachOther() kube.Traffic {
	return kube.Traffic{
		Peers: []kube.Peer{{Pods: kube.Selector(Name)}},
		Ports: []kube.Port{{Number: port}, {Number: busPort}},
	}
}
