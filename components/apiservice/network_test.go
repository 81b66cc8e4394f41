package apiservice_test

import (
	"reflect"
	"testing"

	"agentstack/components/apiservice"
	"agentstack/internal/pulumitest"
)

const networkPolicyType = "kubernetes:networking.k8s.io/v1:NetworkPolicy"

// allowed returns the peers of a policy's rules in one direction by port. No peers mean anyone.
func allowed(policy pulumitest.Resource, direction, peers string) map[float64]any {
	byPort := map[float64]any{}
	rules, _ := policy.At("spec", direction).([]any)
	for rule := range rules {
		ports, _ := policy.At("spec", direction, rule, "ports").([]any)
		for i := range ports {
			port, _ := policy.At("spec", direction, rule, "ports", i, "port").(float64)
			byPort[port] = policy.At("spec", direction, rule, peers)
		}
	}
	return byPort
}

func TestNetworkPolicies(t *testing.T) {
	name := "ai-agent-api-eu-west-1"
	recording := pulumitest.Up(t, register(validArgs()))
	policy := recording.Find(t, networkPolicyType, name)
	prometheus := map[string]any{
		"namespaceSelector": matchLabels("kubernetes.io/metadata.name", "monitoring"),
		"podSelector":       matchLabels("app.kubernetes.io/name", "prometheus"),
	}
	if got := allowed(policy, "ingress", "from"); !reflect.DeepEqual(got, map[float64]any{8000: []any{prometheus}}) {
		t.Errorf("lets in %v, want Prometheus alone", got)
	}
	egress := allowed(policy, "egress", "to")
	for _, port := range []float64{53, 5432, 6379, 443, 8080} {
		if egress[port] == nil {
			t.Errorf("cannot reach port %v, or anyone there", port)
		}
	}
	if rules, _ := policy.At("spec", "egress").([]any); len(egress) != 5 || len(rules) != 5 {
		t.Errorf("can reach %v", egress)
	}
	migration := recording.Find(t, networkPolicyType, name+"-migrate")
	if egress := allowed(migration, "egress", "to"); egress[5432] == nil || len(egress) != 2 {
		t.Errorf("the migration can reach %v, want DNS and PostgreSQL", egress)
	}
	if got := migration.At("spec", "ingress"); got != nil {
		t.Errorf("the migration lets in %v", got)
	}
	policy = pulumitest.Up(t, register(edgeArgs())).Find(t, networkPolicyType, name)
	envoys := map[string]any{
		"namespaceSelector": matchLabels("kubernetes.io/metadata.name", "envoy-gateway-system"),
		"podSelector": map[string]any{"matchLabels": map[string]any{
			"app.kubernetes.io/name": "envoy", "app.kubernetes.io/component": "proxy",
			"gateway.envoyproxy.io/owning-gateway-name": "ai-agent",
		}},
	}
	want := map[float64]any{8000: []any{prometheus, envoys}}
	if got := allowed(policy, "ingress", "from"); !reflect.DeepEqual(got, want) {
		t.Errorf("with an edge lets in %v, want Prometheus and the Envoys alone", got)
	}
}

func TestModelServerInTheCluster(t *testing.T) {
	args := validArgs()
	args.Models.Providers = args.Models.Providers[:1]
	args.Models.Providers[0].BaseURL = "http://mockllm.models.svc:8080/v1"
	args.Models.Catalog = []apiservice.Model{{Name: "*", Routes: []apiservice.Route{{Provider: "open-ai"}}}}
	delete(args.ProviderKeys, "anthropic")
	policy := pulumitest.Up(t, register(args)).Find(t, networkPolicyType, "ai-agent-api-eu-west-1")
	egress := allowed(policy, "egress", "to")
	want := []any{map[string]any{
		"namespaceSelector": matchLabels("kubernetes.io/metadata.name", "models"),
		"podSelector":       map[string]any{"matchLabels": map[string]any{}},
	}}
	if !reflect.DeepEqual(egress[8080], want) || egress[443] != nil {
		t.Errorf("can reach %v, want pods of the model server's namespace on 8080", egress)
	}
}

func matchLabels(key, value string) map[string]any {
	return map[string]any{"matchLabels": map[string]any{key: value}}
}
