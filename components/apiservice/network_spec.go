package apiservice

import (
	"reflect"
	"slices"

	"agentstack/internal/kube"
)

const (
	port      = 8000
	redisPort = 6379
)

var redisPods = kube.Selector("ai-agent-redis")

// apiIngress lets in Prometheus, and with an Ingress anyone: the load balancer is no pod, and its addresses are those
// of the network that the machines are in.
func apiIngress(args Args) []kube.Traffic {
	traffic := kube.Traffic{
		Peers: []kube.Peer{kube.Prometheus()},
		Ports: []kube.Port{{Number: port}},
	}
	if args.Ingress != nil {
		traffic.Peers = nil
	}
	return []kube.Traffic{traffic}
}

func apiEgress(args Args) []kube.Traffic {
	traffic := append(migrationEgress(args),
		kube.Traffic{Peers: []kube.Peer{{Pods: redisPods}}, Ports: []kube.Port{{Number: redisPort}}})
	for _, provider := range args.Models.Providers {
		to := kube.ToURL(provider.BaseURL)
		if !slices.ContainsFunc(traffic, func(t kube.Traffic) bool { return reflect.DeepEqual(t, to) }) {
			traffic = append(traffic, to)
		}
	}
	return traffic
}

func migrationEgress(args Args) []kube.Traffic {
	return []kube.Traffic{kube.DNS(), args.Database.Traffic()}
}
