package stacks

import (
	"maps"
	"slices"
	"testing"

	"agentstack/internal/pulumitest"
)

// TestChangeTouchesOnlyWhatItConcerns changes one thing and looks which resources an update would change.
func TestChangeTouchesOnlyWhatItConcerns(t *testing.T) {
	const (
		configMap  = "kubernetes:core/v1:ConfigMap ai-agent-config-us-east-1"
		deployment = "kubernetes:apps/v1:Deployment ai-agent-api-us-east-1"
		cluster    = "kubernetes:postgresql.cnpg.io/v1:Cluster ai-agent-db-us-east-1"
		budget     = "kubernetes:policy/v1:PodDisruptionBudget ai-agent-api-us-east-1"
	)
	redis := []string{
		"kubernetes:apps/v1:StatefulSet ai-agent-redis-us-east-1-follower",
		"kubernetes:apps/v1:StatefulSet ai-agent-redis-us-east-1-leader",
	}
	tests := map[string]struct {
		path  string
		value any
		want  []string
	}{
		"nothing":              {"environment", "staging", nil},
		"environment variable": {"api.env", map[string]any{"FEATURE": "on"}, []string{deployment, configMap}},
		"log level":            {"api.logLevel", "debug", []string{deployment, configMap}},
		"model server":         {"model.baseUrl", "https://models.example.com/v1", []string{deployment, configMap}},
		"replicas":             {"api.minReplicas", 5, []string{deployment, budget}},
		"Redis memory":         {"redis.maxMemory", "256Mi", redis},
		"PostgreSQL parameter": {"postgres.parameters", map[string]any{"work_mem": "8MB"}, []string{cluster}},
	}
	before := pulumitest.Up(t, Deploy, stackConfig(t, EnvironmentStaging))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := edit(t, stackConfig(t, EnvironmentStaging), test.path, test.value)
			changed := pulumitest.Changed(before, pulumitest.Up(t, Deploy, config))
			if !slices.Equal(changed, test.want) {
				t.Errorf("changed %q, want %q", changed, test.want)
			}
		})
	}
}

func TestChangedModelKeyRollsTheAPI(t *testing.T) {
	config := stackConfig(t, EnvironmentStaging)
	before := pulumitest.Up(t, Deploy, config)
	config.Values = maps.Clone(config.Values)
	config.Values[fullAPIKeyKey] = "sk-other"
	changed := pulumitest.Changed(before, pulumitest.Up(t, Deploy, config))
	if want := []string{"kubernetes:apps/v1:Deployment ai-agent-api-us-east-1"}; !slices.Equal(changed, want) {
		t.Errorf("changed %q beside the Secret, want %q", changed, want)
	}
}
