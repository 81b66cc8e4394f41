package monitoring

import (
	"embed"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"text/template"

	"agentstack/internal/kube"
)

//go:embed config/*.tmpl
var configFiles embed.FS

//go:embed rules/*.rules.yaml
var ruleFiles embed.FS

//go:embed dashboards
var dashboardFiles embed.FS

var configTemplates = template.Must(template.ParseFS(configFiles, "config/*"))

// render fills in the template of a configuration file.
func render(file string, values any) (string, error) {
	var text strings.Builder
	if err := configTemplates.ExecuteTemplate(&text, file+".tmpl", values); err != nil {
		return "", fmt.Errorf("render %s: %w", file, err)
	}
	return text.String(), nil
}

// files returns the content of each file of a folder by its name.
func files(folder fs.FS, name string) (map[string]string, error) {
	entries, err := fs.ReadDir(folder, name)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", name, err)
	}
	content := map[string]string{}
	for _, entry := range entries {
		data, err := fs.ReadFile(folder, name+"/"+entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", entry.Name(), err)
		}
		content[entry.Name()] = string(data)
	}
	return content, nil
}

// scrapeJob finds its targets by the label of their pods, in the form that Prometheus gives to its name.
type scrapeJob struct {
	Name, Namespace, Label, Value, Port string
	// HonorLabels keeps the labels namespace and pod of the series, where they name what a series is about.
	HonorLabels bool
}

// labelName is kube.LabelName in the form that Prometheus gives to label names.
const labelName = "app_kubernetes_io_name"

func (a Args) scrapeJobs() []scrapeJob {
	job := func(namespace, name string) scrapeJob {
		return scrapeJob{Name: name, Namespace: namespace, Label: labelName, Value: name, Port: metricsPort}
	}
	api := job(a.AppNamespace, "ai-agent-api")
	api.Port = "http"
	redis := job(a.AppNamespace, "redis")
	redis.Value = "ai-agent-redis"
	kubeState := job(a.Namespace, nameKubeState)
	kubeState.HonorLabels = true
	// Instances and pools have the label of their cluster in common, and differ in their role.
	database := func(name, role string) scrapeJob {
		return scrapeJob{
			Name: name, Namespace: a.AppNamespace, Label: "cnpg_io_podRole", Value: role, Port: metricsPort,
		}
	}
	return []scrapeJob{
		api, redis, database("postgres", "instance"), database("pgbouncer", "pooler"),
		job(a.Namespace, namePrometheus), job(a.Namespace, nameAlertmanager), job(a.Namespace, nameLoki), kubeState,
		job(a.NodeNamespace, nameNodeExporter), job(a.NodeNamespace, nameCollector),
	}
}

// prometheusFiles returns the configuration of Prometheus and its rules.
func prometheusFiles(args Args) (map[string]string, error) {
	config, err := render("prometheus.yml", map[string]any{
		"Cluster":       kube.PartOf + "-" + args.Region,
		"Region":        args.Region,
		"Environment":   args.Environment,
		"Namespace":     args.Namespace,
		"Namespaces":    strings.Join([]string{args.AppNamespace, args.Namespace, args.NodeNamespace}, ", "),
		"Jobs":          args.scrapeJobs(),
		"EdgeNamespace": args.EdgeNamespace,
		"Gateway":       kube.EdgeGateway,
	})
	if err != nil {
		return nil, err
	}
	rules, err := files(ruleFiles, "rules")
	if err != nil {
		return nil, err
	}
	return kube.Merge(rules, map[string]string{"prometheus.yml": config}), nil
}

func alertmanagerConfig(args Args) (string, error) {
	webhook := ""
	if args.AlertWebhook != nil {
		webhook = webhookPath + "/" + webhookKey
	}
	return render("alertmanager.yml", map[string]any{"Webhook": webhook})
}

func lokiConfig(args Args) (string, error) {
	values := map[string]any{"LogRetention": args.LogRetention, "Store": args.LogStore, "ObjectStore": "filesystem"}
	if store := args.LogStore; store != nil {
		endpoint, insecure := "s3."+store.Region+".amazonaws.com", false
		if store.Endpoint != "" {
			parsed, err := url.Parse(store.Endpoint)
			if err != nil {
				return "", fmt.Errorf("parse endpoint of log store: %w", err)
			}
			endpoint, insecure = parsed.Host, parsed.Scheme == "http"
		}
		values["ObjectStore"], values["Endpoint"], values["Insecure"] = "s3", endpoint, insecure
	}
	return render("loki.yaml", values)
}

func collectorConfig(args Args) (string, error) {
	return render("collector.yaml", map[string]any{
		"Namespace":     args.Namespace,
		"NodeNamespace": args.NodeNamespace,
		"Region":        args.Region,
		"LokiURL":       args.url(nameLoki, portLoki),
	})
}

func adapterConfig(args Args) (string, error) {
	return render("adapter.yaml", map[string]any{"AppNamespace": args.AppNamespace})
}

// grafanaFiles returns the data sources, the dashboards and where Grafana finds them.
func grafanaFiles(args Args) (map[string]string, error) {
	content, err := files(dashboardFiles, "dashboards")
	if err != nil {
		return nil, err
	}
	for file, values := range map[string]map[string]string{
		fileSources: {
			"PrometheusURL": args.url(namePrometheus, portPrometheus),
			"LokiURL":       args.url(nameLoki, portLoki),
		},
		fileProviders: {"Path": dashboardPath},
	} {
		if content[file], err = render(file, values); err != nil {
			return nil, err
		}
	}
	return content, nil
}
