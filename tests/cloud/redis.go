//go:build e2e

package cloud

import (
	"errors"
	"fmt"
	"strings"
)

const (
	// RedisPods selects the nodes of the Redis cluster.
	RedisPods = "app.kubernetes.io/name=ai-agent-redis"
	// redisInfo asks as the user that may look at the cluster; its password is in the container.
	redisInfo = `redis-cli -e --user operator -h "$POD_IP" cluster `
)

func redisCLI(pod, question string) (string, error) {
	return Try("kubectl", "-n", Namespace, "exec", pod, "-c", "redis", "--", "sh", "-c", redisInfo+question)
}

// RedisWhole says what is missing of a cluster with all slots, six nodes that know each other, and three leaders.
func RedisWhole() error {
	all, err := Pods(RedisPods)
	if err != nil {
		return err
	}
	if len(all) != 6 {
		return fmt.Errorf("%d Redis pods", len(all))
	}
	var errs []error
	for _, p := range all {
		info, err := redisCLI(p.Metadata.Name, "info")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, want := range []string{
			"cluster_state:ok", "cluster_slots_ok:16384", "cluster_known_nodes:6", "cluster_size:3",
		} {
			if !strings.Contains(info, want) {
				errs = append(errs, fmt.Errorf("%s: no %s", p.Metadata.Name, want))
			}
		}
	}
	return errors.Join(errs...)
}

// RedisLeader returns a pod that leads a shard now.
func RedisLeader() (Pod, error) {
	all, err := Pods(RedisPods)
	if err != nil {
		return Pod{}, err
	}
	for _, p := range all {
		nodes, err := redisCLI(p.Metadata.Name, "nodes")
		if err != nil {
			return Pod{}, err
		}
		for line := range strings.Lines(nodes) {
			if strings.Contains(line, "myself,master") {
				return p, nil
			}
		}
	}
	return Pod{}, errors.New("no pod leads a shard")
}
