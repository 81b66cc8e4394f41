// Package docker runs the instance's own Docker daemon, in which images are built. It has no network of its own and
// leaves the machine's Docker and packet filter alone.
package docker

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"agentstack/local/cluster/action"
	"agentstack/local/cluster/supervisor"
)

const (
	// dockerd comes from Debian's package docker.io.
	dockerd      = "/usr/sbin/dockerd"
	readyTimeout = time.Minute
	stopTimeout  = 15 * time.Second
)

// Execute starts the daemon and waits until it answers.
func Execute(c action.Context) error {
	dir := c.Instance.Path("docker")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make docker folder: %w", err)
	}
	config, err := json.MarshalIndent(map[string]any{
		"hosts":     []string{"unix://" + c.Instance.DockerSocket()},
		"data-root": dir + "/data",
		"exec-root": dir + "/exec",
		// A pid file would keep the daemon from starting after a kill, once another process has its number.
		"pidfile": "",
		"bridge":  "none", "iptables": false, "ip6tables": false, "ip-forward": false, "ip-masq": false,
		"oom-score-adjust": 0,
		"registry-mirrors": []string{"http://" + c.Instance.Registry()},
		// With the scheme, which dockerd strips and BuildKit needs to know that there is no TLS behind it.
		"insecure-registries": []string{"http://" + c.Instance.Registry()},
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode docker configuration: %w", err)
	}
	file := c.Instance.Path("docker", "daemon.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return fmt.Errorf("write docker configuration: %w", err)
	}
	err = c.Supervisor.Ensure(c, supervisor.Unit{
		Name: "docker", StopTimeout: stopTimeout, Args: []string{dockerd, "--config-file=" + file},
		Generation: string(config),
	})
	if err != nil {
		return err
	}
	return c.Poll(readyTimeout, "the Docker daemon", func() (string, error) {
		conn, err := net.Dial("unix", c.Instance.DockerSocket())
		if err != nil {
			return "", err
		}
		return "", conn.Close()
	})
}
