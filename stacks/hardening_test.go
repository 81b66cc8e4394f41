package stacks

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"agentstack/internal/pulumitest"
)

// TestSecretsStaySecret looks for the value of every secret, in clear or as base64, in everything that is
// registered.
func TestSecretsStaySecret(t *testing.T) {
	recording := pulumitest.Up(t, Deploy, stackConfig(t, EnvironmentProduction))
	shown, err := json.Marshal(recording.Resources)
	if err != nil {
		t.Fatalf("encode recording: %v", err)
	}
	for _, value := range []string{
		"sk-secret", "c2stc2VjcmV0", "sk-ant-secret", "c2stYW50LXNlY3JldA", "token-secret", "dG9rZW4tc2VjcmV0",
	} {
		if strings.Contains(string(shown), value) {
			t.Errorf("a registered resource shows the secret %s", value)
		}
	}
	for _, secret := range recording.OfType("kubernetes:core/v1:Secret") {
		if secret.At("data") != pulumitest.Secret {
			t.Errorf("the data of Secret %s is %v, want it to be secret", secret.Name, secret.At("data"))
		}
		if secret.At("stringData") != nil {
			t.Errorf("Secret %s has stringData", secret.Name)
		}
	}
}

// TestSelectorsMatchOneWorkload guards against a Service or budget that also finds the pods of a Job.
func TestSelectorsMatchOneWorkload(t *testing.T) {
	recording := pulumitest.Up(t, Deploy, stackConfig(t, EnvironmentLocal))
	for _, service := range recording.OfType("kubernetes:core/v1:Service") {
		selector, _ := service.At("spec", "selector").(map[string]any)
		var kinds []string
		for _, workload := range recording.Resources {
			labels, _ := workload.At("spec", "template", "metadata", "labels").(map[string]any)
			if labels != nil && matches(labels, selector) && !slices.Contains(kinds, workload.Type) {
				kinds = append(kinds, workload.Type)
			}
		}
		if len(kinds) != 1 {
			t.Errorf("Service %s selects pods of %v, want one kind of workload", service.Name, kinds)
		}
	}
}

func matches(labels, selector map[string]any) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0
}
