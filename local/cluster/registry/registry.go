// Package registry runs the instance's image registry. It is the mirror of every upstream registry, so that manifests
// name images as they do in production.
package registry

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"agentstack/local/cluster/action"
	"agentstack/local/cluster/supervisor"
)

const (
	readyTimeout = 30 * time.Second
	stopTimeout  = 5 * time.Second
)

// Execute starts the registry, in the router's namespace, and waits until it answers.
func Execute(c action.Context) error {
	config := fmt.Sprintf(`version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: %s}
http: {addr: %q}
`, c.Instance.Path("registry", "data"), c.Instance.Registry())
	if err := os.MkdirAll(c.Instance.Path("registry", "data"), 0o700); err != nil {
		return fmt.Errorf("make registry folder: %w", err)
	}
	file := c.Instance.Path("registry", "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return fmt.Errorf("write registry configuration: %w", err)
	}
	binary, err := c.Binary("registry")
	if err != nil {
		return err
	}
	err = c.Supervisor.Ensure(c, supervisor.Unit{
		Name: "registry", Namespace: c.Instance.RouterNamespace(), StopTimeout: stopTimeout,
		Args: []string{binary, "serve", file}, Env: []string{"OTEL_TRACES_EXPORTER=none"},
		Generation: config,
	})
	if err != nil {
		return err
	}
	return c.Poll(readyTimeout, "the image registry", func() (string, error) {
		resp, err := http.Get("http://" + c.Instance.Registry() + "/v2/")
		if err != nil {
			return "", err
		}
		if err := resp.Body.Close(); err != nil {
			return "", err
		}
		if resp.StatusCode != http.StatusOK {
			return resp.Status, nil
		}
		return "", nil
	})
}
