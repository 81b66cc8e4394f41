package monitoring

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"agentstack/internal/pulumitest"
)

// discovery is the part of the adapter's configuration that we use, in the form of its package config.
type discovery struct {
	Rules []struct {
		SeriesQuery string `json:"seriesQuery"`
		Resources   struct {
			Overrides map[string]struct {
				Resource string `json:"resource"`
			} `json:"overrides"`
		} `json:"resources"`
		Name struct {
			As string `json:"as"`
		} `json:"name"`
		MetricsQuery string `json:"metricsQuery"`
	} `json:"rules"`
}

func adapterRule(t *testing.T) (seriesQuery, metricsQuery string, labels []string) {
	t.Helper()
	text, err := adapterConfig(valid())
	if err != nil {
		t.Fatal(err)
	}
	var config discovery
	if err := yaml.UnmarshalStrict([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Rules) != 1 || config.Rules[0].Name.As != "ai_agent_requests_per_second" {
		t.Fatalf("rules %+v, want one for ai_agent_requests_per_second", config.Rules)
	}
	rule := config.Rules[0]
	for label, resource := range rule.Resources.Overrides {
		if label != resource.Resource {
			t.Errorf("the label %s stands for a %s", label, resource.Resource)
		}
		labels = append(labels, label)
	}
	return rule.SeriesQuery, rule.MetricsQuery, labels
}

// queryOf fills in a query as the adapter does for two pods.
func queryOf(t *testing.T, metricsQuery string) string {
	t.Helper()
	filled, err := template.New("query").Delims("<<", ">>").Parse(metricsQuery)
	if err != nil {
		t.Fatal(err)
	}
	var query strings.Builder
	if err := filled.Execute(&query, map[string]string{
		"Series":        "ai_agent_requests_total",
		"LabelMatchers": `namespace="ai-agent",pod=~"busy|idle"`,
		"GroupBy":       "pod",
	}); err != nil {
		t.Fatal(err)
	}
	return query.String()
}

func TestAdapterUsesSeriesThatExist(t *testing.T) {
	known := contract(t)
	seriesQuery, metricsQuery, labels := adapterRule(t)
	if selector, err := parser.ParseExpr(seriesQuery); err != nil {
		t.Error(err)
	} else if name := selector.(*parser.VectorSelector).Name; name != "ai_agent_requests_total" {
		t.Errorf("looks for series of %s", name)
	}
	problems := slices.Concat(known.check(seriesQuery), known.check(queryOf(t, metricsQuery)),
		known.checkMetric("ai_agent_requests_total", labels...))
	for _, problem := range problems {
		t.Error(problem)
	}
	if slices.Sort(labels); !slices.Equal(labels, []string{"namespace", "pod"}) {
		t.Errorf("finds what a series is of by the labels %v", labels)
	}
}

// TestAdapterCountsRequestsOfClients leaves out those of machines, and wants a value of a pod that has no others.
func TestAdapterCountsRequestsOfClients(t *testing.T) {
	_, metricsQuery, _ := adapterRule(t)
	test, err := yaml.Marshal(map[string]any{"fuzzy_compare": true, "tests": []any{map[string]any{
		"interval": "15s",
		"input_series": []any{
			requests("busy", "/v1/chat/completions", "200", "0+1500x20"),
			requests("busy", "/v1/models", "429", "0+15x20"),
			requests("busy", "/ready", "200", "0+3000x20"),
			requests("idle", "/livez", "200", "0+3000x20"),
			requests("idle", "/metrics", "200", "0+3000x20"),
			requests("other", "/v1/models", "200", "0+3000x20"),
		},
		"promql_expr_test": []any{map[string]any{
			"expr": queryOf(t, metricsQuery), "eval_time": "4m",
			"exp_samples": []any{
				map[string]any{"labels": `{pod="busy"}`, "value": 101},
				map[string]any{"labels": `{pod="idle"}`, "value": 0},
			},
		}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	folder := write(t, map[string]string{"t.yaml": string(test)})
	accepts(t, "promtool", "test", "rules", filepath.Join(folder, "t.yaml"))
	less := strings.Replace(string(test), "value: 101", "value: 100", 1)
	refuses(t, "promtool", "test", "rules", filepath.Join(write(t, map[string]string{"t.yaml": less}), "t.yaml"))
}

func requests(pod, endpoint, status, values string) map[string]string {
	return map[string]string{
		"series": `ai_agent_requests_total{namespace="ai-agent",pod="` + pod + `",endpoint="` + endpoint +
			`",status_code="` + status + `"}`,
		"values": values,
	}
}

// TestAdapterIsVerified wants the API server to trust the certificate that the adapter shows, and no other.
func TestAdapterIsVerified(t *testing.T) {
	recording := pulumitest.UpRevealed(t, deploy(valid()))
	name := nameAdapter + "-local-1"
	api := recording.Find(t, "kubernetes:apiregistration.k8s.io/v1:APIService", name)
	secret := recording.Find(t, "kubernetes:core/v1:Secret", name)
	if secret.At("data", "tls.crt") == nil || !slices.Contains(secret.IgnoreChanges, "data") {
		t.Errorf("the certificate is not kept: %v", secret.IgnoreChanges)
	}
	if api.At("spec", "caBundle") == nil || api.At("spec", "insecureSkipTLSVerify") != nil {
		t.Error("the API server does not verify the adapter")
	}
	deployment := recording.Find(t, "kubernetes:apps/v1:Deployment", name)
	if got := pod(deployment, "volumes", 1, "secret", "secretName"); got != secret.At("metadata", "name") {
		t.Errorf("the adapter mounts the Secret %v", got)
	}
	for _, probe := range []string{"readinessProbe", "livenessProbe", "startupProbe"} {
		if got := pod(deployment, "containers", 0, probe, "httpGet", "scheme"); got != "HTTPS" {
			t.Errorf("%s speaks %v", probe, got)
		}
	}
	service := recording.Find(t, "kubernetes:core/v1:Service", name)
	for _, field := range []string{"name", "namespace"} {
		if api.At("spec", "service", field) != service.At("metadata", field) {
			t.Errorf("the API leads to the %s %v", field, api.At("spec", "service", field))
		}
	}
	if api.At("spec", "service", "port") != service.At("spec", "ports", 0, "port") ||
		service.At("spec", "ports", 0, "targetPort") != pod(deployment, "containers", 0, "ports", 0, "name") {
		t.Error("the way from the API to the adapter's port is broken")
	}
	// A namespace cannot be deleted while a part of the API does not answer, so that part goes before its Service.
	if !slices.Contains(api.DependsOn, service.Type+" "+service.Name) {
		t.Errorf("the API depends on %v, not on the Service", api.DependsOn)
	}
}

func TestAdapterMayListPodsOfTheAPI(t *testing.T) {
	recording := pulumitest.Up(t, deploy(valid()))
	role := recording.Find(t, "kubernetes:rbac.authorization.k8s.io/v1:Role", nameAdapter+"-local-1")
	if got := role.At("metadata", "namespace"); got != "ai-agent" {
		t.Errorf("the Role is in the namespace %v", got)
	}
	binding := recording.Find(t, "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", nameAdapter+"-local-1")
	if binding.At("roleRef", "name") != role.At("metadata", "name") ||
		binding.At("metadata", "namespace") != role.At("metadata", "namespace") ||
		binding.At("subjects", 0, "namespace") != "monitoring" {
		t.Errorf("the Role is not bound to the adapter: %v", binding.Inputs)
	}
}
