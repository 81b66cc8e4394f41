//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
)

const (
	redisPods = "app.kubernetes.io/name=ai-agent-redis"
	// redisInfo asks as the user that may look at the cluster; its password is in the container.
	redisInfo = `redis-cli -e --user operator -h "$POD_IP" cluster `
)

func redisCLI(pod, question string) (string, error) {
	return try("kubectl", "-n", namespace, "exec", pod, "-c", "redis", "--", "sh", "-c", redisInfo+question)
}

// redisWhole says what is missing of a cluster with all slots, six nodes that know each other, and three leaders.
func redisWhole() error {
	all, err := pods(redisPods)
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

// redisLeader names a pod that leads a shard now.
func redisLeader() (string, error) {
	all, err := pods(redisPods)
	if err != nil {
		return "", err
	}
	for _, p := range all {
		nodes, err := redisCLI(p.Metadata.Name, "nodes")
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(nodes) {
			if strings.Contains(line, "myself,master") {
				return p.Metadata.Name, nil
			}
		}
	}
	return "", errors.New("no pod leads a shard")
}
