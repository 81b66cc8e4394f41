//go:build e2e

package cloud

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// ChangedConfig writes the local stack's configuration with one part changed, such as "api", and returns the file.
func ChangedConfig(t *testing.T, part string, change func(map[string]any)) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(InstanceDir(), "pulumi", "project", "Pulumi.local.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var stack map[string]any
	if err := yaml.Unmarshal(content, &stack); err != nil {
		t.Fatal(err)
	}
	settings := stack["config"].(map[string]any)["agentstack:config"].(map[string]any)
	change(settings[part].(map[string]any))
	changed, err := yaml.Marshal(stack)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "Pulumi.local.yaml")
	if err := os.WriteFile(file, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
