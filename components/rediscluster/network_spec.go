package rediscluster

import "agentstack/internal/kube"

// client is the workload that uses the cluster, and canary the next version of it.
const client, canary = "ai-agent-api", "ai-agent-api-canary"

func ingress() []kube.Traffic {
	return []kube.Traffic{
		{
			Peers: []kube.Peer{{Pods: kube.Selector(client)}, {Pods: kube.Selector(canary)}},
			Ports: []kube.Port{{Number: port}},
		},
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
