// Package docker runs the instance's own Docker daemon, in which images are built. It has no network of its own and
// leaves the machine's Docker and packet filter alone.
package docker

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"agentstack/local/cluster/action"
	"agentstack/local/cluster/supervisor"
)

const (
	// Both come from Debian's packages, docker.io and containerd.
	dockerd      = "/usr/sbin/dockerd"
	containerd   = "/usr/bin/containerd"
	readyTimeout = time.Minute
	stopTimeout  = 15 * time.Second
)

// Execute starts the daemon and waits until it answers.
func Execute(c action.Context) error {
	dir := c.Instance.Path("docker")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make docker folder: %w", err)
	}
	if err := startRuntime(c, dir); err != nil {
		return err
	}
	config, err := json.MarshalIndent(map[string]any{
		"hosts":     []string{"unix://" + c.Instance.DockerSocket()},
		"data-root": dir + "/data",
		"exec-root": dir + "/exec",
		// Not named, it would be the machine's own where there is one.
		"containerd": dir + "/containerd.sock",
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
	return c.AwaitSocket(readyTimeout, "the Docker daemon", c.Instance.DockerSocket())
}

// startRuntime starts the daemon's container runtime and waits until it answers.
func startRuntime(c action.Context, dir string) error {
	config := fmt.Sprintf(`version = 2
root = "%[1]s/containerd"
state = "%[1]s/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]

[grpc]
  address = "%[1]s/containerd.sock"
`, dir)
	file := filepath.Join(dir, "containerd.toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return fmt.Errorf("write containerd configuration: %w", err)
	}
	err := c.Supervisor.Ensure(c, supervisor.Unit{
		Name: "docker-containerd", StopTimeout: stopTimeout, Args: []string{containerd, "--config", file},
		Generation: config,
	})
	if err != nil {
		return err
	}
	return c.AwaitSocket(readyTimeout, "Docker's container runtime", dir+"/containerd.sock")
}
