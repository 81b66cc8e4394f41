package stacks

import (
	"slices"
	"strings"
	"testing"

	"agentstack/internal/pulumitest"
)

// TestChangeTouchesOnlyWhatItConcerns changes one thing and looks which resources an update would change.
func TestChangeTouchesOnlyWhatItConcerns(t *testing.T) {
	const (
		configMap  = "kubernetes:core/v1:ConfigMap ai-agent-config-us-east-1"
		deployment = "kubernetes:apps/v1:Deployment ai-agent-api-us-east-1"
		cluster    = "kubernetes:postgresql.cnpg.io/v1:Cluster ai-agent-db-us-east-1"
		autoscaler = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler ai-agent-api-us-east-1"
	)
	const (
		envoy = "kubernetes:gateway.envoyproxy.io/v1alpha1:"
		edge  = "ai-agent-api-us-east-1"
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
		"models":               {"models.embeddingModel", nil, []string{deployment, configMap}},
		"replicas at least":    {"api.minReplicas", 5, []string{autoscaler}},
		"replicas at most":     {"api.maxReplicas", 30, []string{autoscaler}},
		"rate of requests": {"edge.rateLimit", 50, []string{
			envoy + "BackendTrafficPolicy " + edge, envoy + "BackendTrafficPolicy " + edge + "-ws",
			envoy + "EnvoyPatchPolicy " + edge + "-edge",
		}},
		"connections": {"edge.connectionLimit", 500, []string{envoy + "ClientTrafficPolicy " + edge + "-edge"}},
		"origins": {"edge.corsOrigins", []any{"https://b.example.com"}, []string{
			envoy + "SecurityPolicy " + edge + "-edge",
		}},
		"Redis memory":         {"redis.maxMemory", "256Mi", redis},
		"PostgreSQL parameter": {"postgres.parameters", map[string]any{"work_mem": "4MB"}, []string{cluster}},
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

func TestChangedSecretRollsTheAPI(t *testing.T) {
	before := pulumitest.Up(t, Deploy, stackConfig(t, EnvironmentStaging))
	for key, value := range map[string]string{
		fullKeysKey:  `{"openai": "sk-other", "anthropic": "sk-ant-secret"}`,
		fullJWTKey:   strings.Repeat("k", 32) + "," + strings.Repeat("l", 32),
		fullTokenKey: "a-token-for-sign-up",
	} {
		config := stackConfig(t, EnvironmentStaging)
		config.Values[key] = value
		config.Secret = append(config.Secret, key)
		changed := pulumitest.Changed(before, pulumitest.Up(t, Deploy, config))
		if !slices.Contains(changed, "kubernetes:apps/v1:Deployment ai-agent-api-us-east-1") {
			t.Errorf("%s: changed %q beside the Secret, want the Deployment too", key, changed)
		}
	}
}

func TestRegionsShareTheirCredentials(t *testing.T) {
	recording := pulumitest.UpRevealed(t, Deploy, stackConfig(t, EnvironmentProduction))
	value := func(region, key string) any {
		return recording.Find(t, "kubernetes:core/v1:Secret", "ai-agent-secrets-"+region).At("data", key)
	}
	for _, key := range []string{"JWT_KEYS", "SIGNUP_TOKEN", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"} {
		if primary, other := value("us-east-1", key), value("eu-west-1", key); primary != other || primary == nil {
			t.Errorf("%s is %v in the primary region and %v in the other", key, primary, other)
		}
	}
}

// TestRecovery goes the way of docs/database.md: a new database beside the old one, then in its place, then alone.
func TestRecovery(t *testing.T) {
	up := func(settings map[string]any) *pulumitest.Recording {
		config := stackConfig(t, EnvironmentStaging)
		for path, value := range settings {
			config = edit(t, config, "postgres."+path, value)
		}
		return pulumitest.Up(t, Deploy, config)
	}
	const (
		deployment = "kubernetes:apps/v1:Deployment ai-agent-api-us-east-1"
		backups    = "kubernetes:batch/v1:CronJob ai-agent-backup-us-east-1"
		original   = "kubernetes:postgresql.cnpg.io/v1:Cluster ai-agent-db-us-east-1"
		recovered  = "kubernetes:postgresql.cnpg.io/v1:Cluster ai-agent-db-2-us-east-1"
	)
	recovery := map[string]any{"name": "ai-agent-db-2", "targetTime": "2026-11-23T12:00:00Z"}
	running := up(nil)
	beside := up(map[string]any{"recovery": recovery})
	recovery["serve"] = true
	serving := up(map[string]any{"recovery": recovery})
	alone := up(map[string]any{"name": "ai-agent-db-2"})
	steps := []struct {
		name           string
		before, after  *pulumitest.Recording
		changes, keeps []string
		databases      int
	}{
		{"beside", running, beside, []string{recovered}, []string{original, deployment, backups}, 2},
		{"in its place", beside, serving, []string{deployment, backups}, []string{original, recovered}, 2},
		{"alone", serving, alone, []string{original}, []string{deployment, backups}, 1},
	}
	for _, step := range steps {
		changed := pulumitest.Changed(step.before, step.after)
		for _, resource := range step.changes {
			if !slices.Contains(changed, resource) {
				t.Errorf("%s: %s is not changed", step.name, resource)
			}
		}
		for _, resource := range step.keeps {
			if slices.Contains(changed, resource) {
				t.Errorf("%s: %s is changed", step.name, resource)
			}
		}
		if got := len(step.after.OfType("kubernetes:postgresql.cnpg.io/v1:Cluster")); got != step.databases {
			t.Errorf("%s: %d databases, want %d", step.name, got, step.databases)
		}
	}
}

// TestChangedHost gives the certificate the new name, and keeps the authority that clients know.
func TestChangedHost(t *testing.T) {
	before := pulumitest.UpRevealed(t, Deploy, stackConfig(t, EnvironmentLocal))
	config := edit(t, stackConfig(t, EnvironmentLocal), "edge.host", "api.example.org")
	after := pulumitest.UpRevealed(t, Deploy, config)
	value := func(recording *pulumitest.Recording, key string) any {
		return recording.Find(t, "kubernetes:core/v1:Secret", "ai-agent-api-local-1-tls").At("data", key)
	}
	if value(before, "tls.crt") == value(after, "tls.crt") {
		t.Error("the certificate still has the old name")
	}
	if authority := value(before, "ca.crt"); authority == nil || authority != value(after, "ca.crt") {
		t.Error("the authority is another one")
	}
}
