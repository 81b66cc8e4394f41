//go:build e2e

// Package cloud is what tests on a local cloud share: commands on it, its pods, and the API as a client sees it.
package cloud

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// Namespace is that of the program's own objects.
	Namespace = "ai-agent"
	// SettleTimeout is how long pods may take to be ready again after a fault.
	SettleTimeout = 5 * time.Minute
	// HealTimeout is how long the API may take to answer and store again after a fault.
	HealTimeout = 4 * time.Minute
	pollEvery   = 500 * time.Millisecond
)

// RequireInstance fails the test unless it runs as root on an instance of its own.
func RequireInstance(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("these tests make a local cloud and need root: run them with sudo")
	}
	if os.Getenv("AGENTSTACK_INSTANCE") == "" {
		t.Fatal("AGENTSTACK_INSTANCE is not set: run the target of the Makefile, which keeps your own local cloud out")
	}
}

// InstanceDir is the folder of the instance under test.
func InstanceDir() string {
	state := os.Getenv("AGENTSTACK_STATE")
	if state == "" {
		state = "/var/lib/agentstack"
	}
	return filepath.Join(state, os.Getenv("AGENTSTACK_INSTANCE"))
}

// Command runs one of the wrappers in bin/ from the repository's root and returns its standard output.
func Command(t *testing.T, name string, args ...string) string {
	t.Helper()
	output, err := Try(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// Try is Command for what may fail.
func Try(name string, args ...string) (string, error) {
	cmd := Wrapper(name, args...)
	if name == "kubectl" {
		var err error
		if cmd, err = kubectl(args...); err != nil {
			return "", err
		}
	}
	return run(cmd)
}

// kubectl goes past the wrapper, which looks for changed sources each time: too slow for what polls.
func kubectl(args ...string) (*exec.Cmd, error) {
	path, err := kubectlPath()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(InstanceDir(), "kubeconfig"))
	return cmd, nil
}

// Apply makes objects of a manifest, or changes them to it.
func Apply(t *testing.T, manifest string) {
	t.Helper()
	if err := TryApply(manifest); err != nil {
		t.Fatal(err)
	}
}

// TryApply is Apply for what may fail.
func TryApply(manifest string) error {
	cmd, err := kubectl("apply", "--server-side", "--force-conflicts", "-f", "-")
	if err != nil {
		return err
	}
	cmd.Stdin = strings.NewReader(manifest)
	_, err = run(cmd)
	return err
}

var kubectlPath = sync.OnceValues(func() (string, error) {
	path, err := run(Wrapper("localcloud", "tool", "kubectl"))
	return strings.TrimSpace(path), err
})

// Wrapper is a command in bin/. Tests run in their package's folder, two below the repository's root.
func Wrapper(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join("bin", name), args...)
	cmd.Dir = filepath.Join("..", "..")
	return cmd
}

func run(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// Kubectl runs kubectl in the program's namespace.
func Kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return Command(t, "kubectl", append([]string{"-n", Namespace}, args...)...)
}

// Pulumi runs pulumi on the local stack.
func Pulumi(t *testing.T, args ...string) string {
	t.Helper()
	return Command(t, "pulumi", append(args, "--stack", "local", "--non-interactive")...)
}

// Eventually polls until the condition gives no error.
func Eventually(t *testing.T, timeout time.Duration, what string, condition func() error) {
	t.Helper()
	took, err := Within(timeout, what, condition)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s after %s", what, took.Round(100*time.Millisecond))
}

// Within polls until the condition gives no error, and returns how long that took.
func Within(timeout time.Duration, what string, condition func() error) (time.Duration, error) {
	began := time.Now()
	for {
		err := condition()
		if err == nil {
			return time.Since(began), nil
		}
		if time.Since(began) > timeout {
			return 0, fmt.Errorf("not within %s: %s: %w", timeout, what, err)
		}
		time.Sleep(pollEvery)
	}
}

// Matches wants a field of an object in the program's namespace to have a value.
func Matches(object, jsonpath, want string) error {
	got, err := Try("kubectl", "-n", Namespace, "get", object, "-o", "jsonpath="+jsonpath)
	if err == nil && strings.TrimSpace(got) != want {
		err = fmt.Errorf("%s is %q, not %q", jsonpath, got, want)
	}
	return err
}
