//go:build e2e

package chaos

import (
	"agentstack/tests/cloud"
)

func (m *measurement) redisLeader() cloud.Pod {
	m.Helper()
	leader, err := cloud.RedisLeader()
	if err != nil {
		m.Fatal(err)
	}
	return leader
}

func leaderKilled(m *measurement) {
	m.kill(m.redisLeader(), "redis-server")
	m.whole()
}

func leaderDeleted(m *measurement) {
	leader := m.redisLeader()
	m.strike("deleting " + leader.Metadata.Name)
	m.deleteByForce(leader)
	m.whole()
}

// nodeOfLeaderDeleted takes the leader with all pods of Redis and of the API that run on the same node.
func nodeOfLeaderDeleted(m *measurement) {
	node := m.redisLeader().Spec.NodeName
	all, err := cloud.Pods("app.kubernetes.io/name in (ai-agent-redis, ai-agent-api)")
	if err != nil {
		m.Fatal(err)
	}
	var there []cloud.Pod
	for _, pod := range all {
		if pod.Spec.NodeName == node && pod.Status.Phase == "Running" {
			there = append(there, pod)
		}
	}
	m.strike("deleting all on " + node)
	m.deleteByForce(there...)
	m.whole()
}

func allRedisDeleted(m *measurement) {
	all, err := cloud.Pods(cloud.RedisPods)
	if err != nil {
		m.Fatal(err)
	}
	m.strike("deleting all pods of Redis")
	m.deleteByForce(all...)
	m.whole()
}
