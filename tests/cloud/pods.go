//go:build e2e

package cloud

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Pod is what the tests read of a pod.
type Pod struct {
	Metadata struct {
		Name, UID         string
		Labels            map[string]string
		DeletionTimestamp string
	}
	Spec struct {
		NodeName   string
		Containers []struct{ Image string }
	}
	Status struct {
		Phase, PodIP string
		Conditions   []struct{ Type, Status string }
	}
}

// Ready says whether the pod is ready and is to stay.
func (p Pod) Ready() bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True" && p.Metadata.DeletionTimestamp == ""
		}
	}
	return false
}

// Pods lists the pods of the program's namespace that have all labels.
func Pods(selector ...string) ([]Pod, error) {
	args := []string{"-n", Namespace, "get", "pods", "-o", "json"}
	if len(selector) > 0 {
		args = append(args, "-l", strings.Join(selector, ","))
	}
	output, err := Try("kubectl", args...)
	if err != nil {
		return nil, err
	}
	var list struct{ Items []Pod }
	if err := json.Unmarshal([]byte(output), &list); err != nil {
		return nil, fmt.Errorf("parse pods: %w", err)
	}
	return list.Items, nil
}

// ReadyCount counts the pods that are ready.
func ReadyCount(all []Pod) int {
	n := 0
	for _, p := range all {
		if p.Ready() {
			n++
		}
	}
	return n
}

// AtRest returns how many pods, those of the API aside, are ready before a fault, so that Settled can wait for as many
// after it.
func AtRest(t *testing.T) int {
	t.Helper()
	all, err := Pods()
	if err != nil {
		t.Fatal(err)
	}
	return ReadyCount(notOfTheAPI(all))
}

// notOfTheAPI returns the pods whose number does not depend on the load.
func notOfTheAPI(all []Pod) []Pod {
	return slices.DeleteFunc(slices.Clone(all), func(p Pod) bool {
		return p.Metadata.Labels["app.kubernetes.io/name"] == "ai-agent-api"
	})
}

// Settled waits until as many pods as there were at the start are ready, and all of the API, and PostgreSQL and Redis
// are whole.
func Settled(t *testing.T, want int) {
	t.Helper()
	Eventually(t, SettleTimeout, "every pod is ready", func() error { return allReady(want) })
	Eventually(t, SettleTimeout, "the API has the pods that it is to have", func() error {
		return Matches("deployment/ai-agent-api", "{.status.readyReplicas}",
			strings.TrimSpace(Kubectl(t, "get", "deployment/ai-agent-api", "-o", "jsonpath={.spec.replicas}")))
	})
	Eventually(t, SettleTimeout, "PostgreSQL has three instances", PostgresWhole)
	Eventually(t, SettleTimeout, "Redis has all its slots and six nodes", RedisWhole)
}

func allReady(want int) error {
	all, err := Pods()
	if err != nil {
		return err
	}
	var bad []string
	for _, p := range all {
		if p.Status.Phase != "Succeeded" && !p.Ready() {
			bad = append(bad, p.Metadata.Name+" "+p.Status.Phase)
		}
	}
	if ready := ReadyCount(notOfTheAPI(all)); ready != want || len(bad) > 0 {
		return fmt.Errorf("%d of %d ready, not ready: %v", ready, want, bad)
	}
	return nil
}

// Process returns the id, on the host, of the first process of a program in a pod: the one whose parent is another
// program.
func (p Pod) Process(program string) (int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	for _, file := range files {
		// Processes end while they are looked at.
		if cgroup, _ := os.ReadFile(file); !strings.Contains(string(cgroup), "pod"+p.Metadata.UID) {
			continue
		}
		name, parent := process(filepath.Dir(file))
		if ofParent, _ := process(filepath.Join("/proc", parent)); name == program && ofParent != program {
			return strconv.Atoi(filepath.Base(filepath.Dir(file)))
		}
	}
	return 0, fmt.Errorf("pod %s runs no %s", p.Metadata.Name, program)
}

func process(folder string) (name, parent string) {
	status, _ := os.ReadFile(filepath.Join(folder, "status"))
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "Name":
			name = strings.TrimSpace(value)
		case "PPid":
			return name, strings.TrimSpace(value)
		}
	}
	return name, ""
}
