package apiservice_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/apiservice"
	"agentstack/internal/pulumitest"
)

const (
	ingressType       = "kubernetes:networking.k8s.io/v1:Ingress"
	networkPolicyType = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
)

func TestIngress(t *testing.T) {
	recording := pulumitest.Up(t, register(ingressArgs()))
	recording.Golden(t, "ingress")
	edge := recording.Find(t, ingressType, "ai-agent-api-eu-west-1")
	var paths []string
	rules, _ := edge.At("spec", "rules", 0, "http", "paths").([]any)
	for i := range rules {
		path, _ := edge.At("spec", "rules", 0, "http", "paths", i, "path").(string)
		paths = append(paths, path)
	}
	if want := []string{"/v1", "/ws", "/docs", "/openapi.json", "/health"}; !slices.Equal(paths, want) {
		t.Errorf("routes %v from outside, want %v", paths, want)
	}
	if edge.At("spec", "defaultBackend") != nil {
		t.Error("every other path goes to a default backend")
	}
	pulumitest.Preview(t, register(ingressArgs()))
}

func TestLoadBalancer(t *testing.T) {
	edge := pulumitest.Up(t, register(ingressArgs())).OfType(ingressType)[0]
	for name, want := range map[string]string{
		"scheme":           "internet-facing",
		"target-type":      "ip",
		"listen-ports":     `[{"HTTP":80},{"HTTPS":443}]`,
		"ssl-redirect":     "443",
		"certificate-arn":  "arn:aws:acm:eu-west-1:123456789012:certificate/0",
		"healthcheck-path": "/ready",
	} {
		if got := edge.At("metadata", "annotations", "alb.ingress.kubernetes.io/"+name); got != want {
			t.Errorf("%s = %v, want %s", name, got, want)
		}
	}
	annotations, _ := edge.At("metadata", "annotations").(map[string]any)
	for name, part := range map[string]string{
		"ssl-policy":               "TLS13",
		"load-balancer-attributes": "idle_timeout.timeout_seconds=300",
		"target-group-attributes":  "deregistration_delay.timeout_seconds=55",
	} {
		if got, _ := annotations["alb.ingress.kubernetes.io/"+name].(string); !strings.Contains(got, part) {
			t.Errorf("%s = %q, want %s in it", name, got, part)
		}
	}
}

func TestHostname(t *testing.T) {
	var known string
	pulumitest.Up(t, func(ctx *pulumi.Context) error {
		service, err := apiservice.New(ctx, "api", ingressArgs())
		if err != nil {
			return err
		}
		service.Hostname.ApplyT(func(hostname string) string {
			known = hostname
			return hostname
		})
		return nil
	})
	if known == "" {
		t.Error("the hostname of the load balancer is empty")
	}
	if found := pulumitest.Up(t, register(validArgs())).OfType(ingressType); len(found) > 0 {
		t.Errorf("without Ingress in the arguments there is %s", found[0].Name)
	}
}

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
	prometheus := []any{map[string]any{
		"namespaceSelector": matchLabels("kubernetes.io/metadata.name", "monitoring"),
		"podSelector":       matchLabels("app.kubernetes.io/name", "prometheus"),
	}}
	if got := allowed(policy, "ingress", "from"); !reflect.DeepEqual(got, map[float64]any{8000: prometheus}) {
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
	policy = pulumitest.Up(t, register(ingressArgs())).Find(t, networkPolicyType, name)
	if got := allowed(policy, "ingress", "from"); !reflect.DeepEqual(got, map[float64]any{8000: nil}) {
		t.Errorf("with an Ingress lets in %v, want anyone", got)
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
