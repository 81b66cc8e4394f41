package monitoring

import (
	"slices"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"sigs.k8s.io/yaml"
)

// relabelRule is a rule in the form of the configuration file, of which relabel.Config has only the YAML tags.
type relabelRule struct {
	SourceLabels model.LabelNames `json:"source_labels"`
	Regex        *relabel.Regexp  `json:"regex"`
	Action       relabel.Action   `json:"action"`
	TargetLabel  string           `json:"target_label"`
	Replacement  *string          `json:"replacement"`
}

func (r relabelRule) config() *relabel.Config {
	config := relabel.DefaultRelabelConfig
	config.NameValidationScheme = model.UTF8Validation
	config.SourceLabels, config.TargetLabel = r.SourceLabels, r.TargetLabel
	if r.Regex != nil {
		config.Regex = *r.Regex
	}
	if r.Action != "" {
		config.Action = r.Action
	}
	if r.Replacement != nil {
		config.Replacement = *r.Replacement
	}
	return &config
}

// configuredJob is a job in the form of the configuration file.
type configuredJob struct {
	Name      string `json:"job_name"`
	Discovery []struct {
		Role       string `json:"role"`
		Namespaces struct {
			Names []string `json:"names"`
		} `json:"namespaces"`
	} `json:"kubernetes_sd_configs"`
	TargetRules []relabelRule `json:"relabel_configs"`
	SeriesRules []relabelRule `json:"metric_relabel_configs"`
}

func configuredJobs(t testing.TB) []configuredJob {
	t.Helper()
	files, err := prometheusFiles(valid())
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Jobs []configuredJob `json:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(files["prometheus.yml"]), &config); err != nil {
		t.Fatal(err)
	}
	return config.Jobs
}

// finds tells whether a pod with these labels of the discovery is a target of the job.
func (j configuredJob) finds(pod labels.Labels) bool {
	if j.Discovery[0].Role != "pod" ||
		!slices.Contains(j.Discovery[0].Namespaces.Names, pod.Get("__meta_kubernetes_namespace")) {
		return false
	}
	return keeps(j.TargetRules, pod)
}

func keeps(rules []relabelRule, found labels.Labels) bool {
	var configs []*relabel.Config
	for _, rule := range rules {
		configs = append(configs, rule.config())
	}
	_, keep := relabel.Process(found, configs...)
	return keep
}

// TestPodsAreTargetsOfTheirJob wants each pod in one job, whatever the name of the cluster that it belongs to.
func TestPodsAreTargetsOfTheirJob(t *testing.T) {
	jobs := configuredJobs(t)
	envoy := func(namespace, port, component, gateway string) []string {
		return []string{
			"namespace", namespace, "pod_container_port_name", port, "pod_phase", "Running",
			"pod_annotation_prometheus_io_scrape", "true", "pod_label_" + labelName, "envoy",
			"pod_label_app_kubernetes_io_component", component,
			"pod_label_gateway_envoyproxy_io_owning_gateway_name", gateway,
		}
	}
	pod := func(namespace, port string, more ...string) []string {
		return append([]string{
			"namespace", namespace, "pod_container_port_name", port, "pod_phase", "Running",
			"pod_annotation_prometheus_io_scrape", "true",
		}, more...)
	}
	for _, test := range []struct {
		name string
		pod  []string
		want []string
	}{
		{"instance", pod("ai-agent", "metrics", "pod_label_cnpg_io_cluster", "restored",
			"pod_label_cnpg_io_podRole", "instance"), []string{"postgres"}},
		{"instance's other port", pod("ai-agent", "postgresql", "pod_label_cnpg_io_podRole", "instance"), nil},
		{"pool", pod("ai-agent", "metrics", "pod_label_cnpg_io_cluster", "restored",
			"pod_label_cnpg_io_podRole", "pooler", "pod_label_cnpg_io_poolerName", "restored-pooler-rw",
			"pod_label_"+labelName, "cloudnative-pg"), []string{"pgbouncer"}},
		{"pool's other port", pod("ai-agent", "pgbouncer", "pod_label_cnpg_io_podRole", "pooler"), nil},
		{"second followers", pod("ai-agent", "metrics", "pod_label_"+labelName, "ai-agent-redis",
			"pod_label_app_kubernetes_io_instance", "ai-agent-redis-follower-2"), []string{"redis"}},
		{"job beside Redis", []string{"namespace", "ai-agent", "pod_label_" + labelName, "ai-agent-redis-drain",
			"pod_phase", "Running"}, nil},
		{"program of another namespace", pod("default", "metrics", "pod_label_cnpg_io_podRole", "pooler"), nil},
		{"Envoy", envoy("envoy-gateway-system", "metrics", "proxy", "ai-agent"), []string{"envoy"}},
		{"Envoy's other port", envoy("envoy-gateway-system", "http-80", "proxy", "ai-agent"), nil},
		{"Envoy of another Gateway", envoy("envoy-gateway-system", "metrics", "proxy", "other"), nil},
		{"rate limits of Envoy Gateway", envoy("envoy-gateway-system", "metrics", "ratelimit", "ai-agent"), nil},
		{"Envoy Gateway", pod("envoy-gateway-system", "metrics", "pod_label_"+labelName, "gateway-helm"), nil},
		{"Envoy elsewhere", envoy("default", "metrics", "proxy", "ai-agent"), nil},
		{"program that no job knows", pod("ai-agent", "metrics", "pod_label_"+labelName, "new"), []string{"pods"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := labels.NewBuilder(labels.EmptyLabels())
			for i := 0; i < len(test.pod); i += 2 {
				found.Set("__meta_kubernetes_"+test.pod[i], test.pod[i+1])
			}
			var got []string
			for _, job := range jobs {
				if job.finds(found.Labels()) {
					got = append(got, job.Name)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("target of %v, want %v", got, test.want)
			}
		})
	}
}
