// Package action holds what the steps that make a local cloud share.
package action

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	"agentstack/local/cluster/supervisor"
	"agentstack/local/cluster/topology"
)

// Context is handed to every step.
type Context struct {
	context.Context
	Instance   topology.Instance
	Supervisor *supervisor.Client
	// Binary gives the path of a program of the toolchain.
	Binary func(name string) (string, error)
	// Say tells the person what is being waited for.
	Say func(format string, args ...any)
}

// Poll asks until the condition holds, and gives up after the timeout with the condition's last answer. The answer is
// what is still missing, in a few words.
func (c Context) Poll(timeout time.Duration, what string, condition func() (missing string, err error)) error {
	deadline := time.Now().Add(timeout)
	for {
		missing, err := condition()
		if err == nil && missing == "" {
			return nil
		}
		if err != nil {
			missing = strings.TrimSpace(err.Error())
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("wait for %s: not within %s: %s; logs are in %s",
				what, timeout, missing, c.Instance.Path("logs"))
		}
		c.Say("waiting for %s", what)
		select {
		case <-c.Done():
			return fmt.Errorf("wait for %s: %w", what, c.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Kubectl runs kubectl as administrator of a region and returns what it printed.
func (c Context) Kubectl(r topology.Region, stdin string, args ...string) (string, error) {
	kubectl, err := c.Binary("kubectl")
	if err != nil {
		return "", err
	}
	args = append([]string{"--kubeconfig", r.Path("pki", "admin.kubeconfig")}, args...)
	cmd := exec.CommandContext(c, kubectl, args...)
	cmd.Stdin = strings.NewReader(stdin)
	output, err := cmd.CombinedOutput()
	if err != nil {
		said := strings.TrimSpace(string(output))
		return "", fmt.Errorf("run kubectl %s: %w: %s", strings.Join(args[2:], " "), err, said)
	}
	return string(output), nil
}

// AwaitSocket waits until a process listens on a unix socket.
func (c Context) AwaitSocket(timeout time.Duration, what, path string) error {
	return c.Poll(timeout, what, func() (string, error) {
		conn, err := net.Dial("unix", path)
		if err != nil {
			return "", err
		}
		return "", conn.Close()
	})
}
