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

// podJobs returns how each job that looks for pods chooses among them.
func podJobs(t *testing.T) map[string][]*relabel.Config {
	t.Helper()
	files, err := prometheusFiles(valid())
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Jobs []struct {
			Name      string `json:"job_name"`
			Discovery []struct {
				Role string `json:"role"`
			} `json:"kubernetes_sd_configs"`
			Rules []relabelRule `json:"relabel_configs"`
		} `json:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(files["prometheus.yml"]), &config); err != nil {
		t.Fatal(err)
	}
	jobs := map[string][]*relabel.Config{}
	for _, job := range config.Jobs {
		if job.Discovery[0].Role != "pod" {
			continue
		}
		for _, rule := range job.Rules {
			jobs[job.Name] = append(jobs[job.Name], rule.config())
		}
	}
	return jobs
}

// TestPodsAreTargetsOfTheirJob wants each pod in one job, whatever the name of the cluster that it belongs to.
func TestPodsAreTargetsOfTheirJob(t *testing.T) {
	jobs := podJobs(t)
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
		{"program that no job knows", pod("ai-agent", "metrics", "pod_label_"+labelName, "new"), []string{"pods"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := labels.NewBuilder(labels.EmptyLabels())
			for i := 0; i < len(test.pod); i += 2 {
				found.Set("__meta_kubernetes_"+test.pod[i], test.pod[i+1])
			}
			var got []string
			for job, rules := range jobs {
				if _, keep := relabel.Process(found.Labels(), rules...); keep {
					got = append(got, job)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("target of %v, want %v", got, test.want)
			}
		})
	}
}
