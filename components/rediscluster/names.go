package rediscluster

import (
	"fmt"
	"strconv"

	"agentstack/internal/kube"
)

// Ports of a pod: for clients, for the other nodes (Redis puts it 10000 above the first), and for metrics.
const (
	port        = 6379
	busPort     = port + 10000
	metricsPort = 9121
)

// role is what a pod is at the start of the cluster, and what it returns to. There is a StatefulSet for each.
type role string

const leader role = "leader"

// follower returns the role of the followers of a rank, which begins at 1.
func follower(rank int) role {
	if rank == 1 {
		return "follower"
	}
	return role("follower-" + strconv.Itoa(rank))
}

const (
	headless = Name + "-headless"
	// reshard is the workload of the Jobs that move slots.
	reshard = Name + "-reshard"

	// labelInstance tells the pods of the StatefulSets apart.
	labelInstance = "app.kubernetes.io/instance"
	// labelPodIndex is set by Kubernetes: the number of a pod in its StatefulSet, here the number of its shard.
	labelPodIndex = "apps.kubernetes.io/pod-index"
)

func (r role) object() string { return Name + "-" + string(r) }

// selector returns the labels of the pods of one StatefulSet.
func (r role) selector() map[string]string {
	return kube.Merge(kube.Selector(Name), map[string]string{labelInstance: r.object()})
}

// followers returns the roles of all followers, by rank.
func (a Args) followers() []role {
	var roles []role
	for rank := range a.FollowersPerLeader {
		roles = append(roles, follower(rank+1))
	}
	return roles
}

// labels returns the labels of an object that belongs to the whole cluster.
func (a Args) labels() map[string]string {
	return kube.Labels(Name, "cache", a.Region)
}

func (a Args) metadata(name string) kube.Metadata {
	return kube.Metadata{Name: name, Namespace: a.Namespace, Labels: a.labels()}
}

// endpoint returns host:port of a pod by its stable DNS name.
func (a Args) endpoint(pod string) string {
	return fmt.Sprintf("%s.%s.%s.svc.cluster.local:%d", pod, headless, a.Namespace, port)
}

// endpoints returns the endpoints of all pods of the StatefulSets of some roles, one role after the other.
func (a Args) endpoints(roles ...role) []string {
	var endpoints []string
	for _, r := range roles {
		for index := range a.Leaders {
			endpoints = append(endpoints, a.endpoint(r.object()+"-"+strconv.Itoa(index)))
		}
	}
	return endpoints
}

func (a Args) addresses() []string {
	return append(a.endpoints(leader), a.endpoints(a.followers()...)...)
}
