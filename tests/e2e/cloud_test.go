//go:build e2e

// Package e2e deploys the program to a local cloud of its own, breaks it in every way that it must survive, and
// destroys it. `make e2e` runs it; it needs root.
package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	namespace = "ai-agent"
	// settleTimeout is how long pods may take to be ready again after a fault.
	settleTimeout = 5 * time.Minute
	// healTimeout is how long the API may take to answer and store again after a fault.
	healTimeout = 2 * time.Minute
	pollEvery   = 500 * time.Millisecond
)

// command runs one of the wrappers in bin/ from the repository's root and returns its standard output.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	output, err := try(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

func try(name string, args ...string) (string, error) {
	cmd := wrapper(name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// wrapper is a command in bin/. Tests run in their package's folder, two below the repository's root.
func wrapper(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join("bin", name), args...)
	cmd.Dir = filepath.Join("..", "..")
	return cmd
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return command(t, "kubectl", append([]string{"-n", namespace}, args...)...)
}

func pulumi(t *testing.T, args ...string) string {
	t.Helper()
	return command(t, "pulumi", append(args, "--stack", "local", "--non-interactive")...)
}

// eventually polls until the condition gives no error.
func eventually(t *testing.T, timeout time.Duration, what string, condition func() error) {
	t.Helper()
	began := time.Now()
	for {
		err := condition()
		if err == nil {
			t.Logf("%s after %s", what, time.Since(began).Round(100*time.Millisecond))
			return
		}
		if time.Since(began) > timeout {
			t.Fatalf("not within %s: %s: %v", timeout, what, err)
		}
		time.Sleep(pollEvery)
	}
}

// pod is what the tests read of a pod.
type pod struct {
	Metadata struct {
		Name, UID         string
		Labels            map[string]string
		DeletionTimestamp string
		OwnerReferences   []struct{ Kind string }
	}
	Spec   struct{ NodeName string }
	Status struct {
		Phase      string
		Conditions []struct{ Type, Status string }
	}
}

func (p pod) ready() bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True" && p.Metadata.DeletionTimestamp == ""
		}
	}
	return false
}

func pods(selector ...string) ([]pod, error) {
	args := []string{"-n", namespace, "get", "pods", "-o", "json"}
	for _, s := range selector {
		args = append(args, "-l", s)
	}
	output, err := try("kubectl", args...)
	if err != nil {
		return nil, err
	}
	var list struct{ Items []pod }
	if err := json.Unmarshal([]byte(output), &list); err != nil {
		return nil, fmt.Errorf("parse pods: %w", err)
	}
	return list.Items, nil
}

// settled waits until as many pods as there were at the start are ready, and PostgreSQL and Redis are whole.
func settled(t *testing.T, want int) {
	t.Helper()
	eventually(t, settleTimeout, "every pod is ready", func() error {
		all, err := pods()
		if err != nil {
			return err
		}
		var bad []string
		ready := 0
		for _, p := range all {
			switch {
			case p.Status.Phase == "Succeeded":
			case p.ready():
				ready++
			default:
				bad = append(bad, p.Metadata.Name+" "+p.Status.Phase)
			}
		}
		if ready != want || len(bad) > 0 {
			return fmt.Errorf("%d of %d ready, not ready: %v", ready, want, bad)
		}
		return nil
	})
	eventually(t, settleTimeout, "PostgreSQL has three instances", func() error {
		return matches("cluster.postgresql.cnpg.io/ai-agent-db", "{.status.readyInstances}", "3")
	})
	eventually(t, settleTimeout, "Redis has all its slots and six nodes", redisWhole)
}

func matches(object, jsonpath, want string) error {
	got, err := try("kubectl", "-n", namespace, "get", object, "-o", "jsonpath="+jsonpath)
	if err == nil && strings.TrimSpace(got) != want {
		err = fmt.Errorf("%s is %q, not %q", jsonpath, got, want)
	}
	return err
}

func env(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the end-to-end tests make a local cloud and need root: run `sudo make e2e`")
	}
	if os.Getenv("AGENTSTACK_INSTANCE") == "" {
		t.Fatal("AGENTSTACK_INSTANCE is not set: run `make e2e`, which keeps your own local cloud out of this")
	}
}

// instanceDir is the folder of the instance under test.
func instanceDir() string {
	state := os.Getenv("AGENTSTACK_STATE")
	if state == "" {
		state = "/var/lib/agentstack"
	}
	return filepath.Join(state, os.Getenv("AGENTSTACK_INSTANCE"))
}
