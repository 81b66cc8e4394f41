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

// apiIngress lets in Prometheus, and the Envoys of the edge.
func apiIngress(args Args) []kube.Traffic {
	peers := []kube.Peer{kube.Prometheus()}
	if args.Edge != nil {
		peers = append(peers, envoys)
	}
	return []kube.Traffic{{Peers: peers, Ports: []kube.Port{{Number: port}}}}
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
