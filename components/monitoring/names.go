package monitoring

import (
	"fmt"

	"agentstack/internal/kube"
)

// The programs, by the name of their objects, pods and scrape jobs.
const (
	namePrometheus   = "prometheus"
	nameAlertmanager = "alertmanager"
	nameKubeState    = "kube-state-metrics"
	nameNodeExporter = "node-exporter"
	nameCollector    = "opentelemetry-collector"
	nameLoki         = "loki"
	nameGrafana      = "grafana"
	nameAdapter      = "prometheus-adapter"
)

// The images, each the newest release that the local cloud can make too.
const (
	imagePrometheus   = "quay.io/prometheus/prometheus:v3.16.0"
	imageAlertmanager = "quay.io/prometheus/alertmanager:v0.34.2"
	imageNodeExporter = "quay.io/prometheus/node-exporter:v1.12.1"
	imageKubeState    = "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.13.0"
	imageCollector    = "docker.io/otel/opentelemetry-collector-contrib:0.149.0"
	imageLoki         = "docker.io/grafana/loki:3.7.8"
	imageGrafana      = "docker.io/grafana/grafana:12.3.0"
	imageAdapter      = "registry.k8s.io/prometheus-adapter/prometheus-adapter:v0.12.0"
)

// Numeric users of the images.
const (
	userPrometheus = 65534 // also of Alertmanager, the exporters and the adapter
	userLoki       = 10001
	userGrafana    = 472
)

// Ports on which the programs serve, and their metrics with it.
const (
	portPrometheus   = 9090
	portAlertmanager = 9093
	portKubeState    = 8080
	portNodeExporter = 9100
	portCollector    = 8888
	portLoki         = 3100
	portGrafana      = 3000
	portAdapter      = 6443

	// portGossip is where Alertmanagers talk to each other, over TCP and UDP.
	portGossip = 9094
	// portHealth is the collector's, for its probes.
	portHealth = 13133
	// portKubelet is that of every machine's kubelet.
	portKubelet = 10250
	// portEnvoy is where the Envoys of the edge serve their metrics.
	portEnvoy = 19001
)

// Names of container ports: metricsPort is what Prometheus scrapes.
const (
	metricsPort = "metrics"
	tlsPort     = "https"
)

// metadata returns the metadata of an object that belongs to a program. With an empty name, the provider makes one.
func (a Args) metadata(p program, name string) kube.Metadata {
	return kube.Metadata{Name: name, Namespace: p.namespace, Labels: kube.Labels(p.name, component, a.Region)}
}

// resourceName is the name under which Pulumi knows an object.
func (a Args) resourceName(object string) string { return object + "-" + a.Region }

// url returns the address of a program's Service inside the cluster.
func (a Args) url(name string, port int) string {
	return fmt.Sprintf("http://%s.%s.svc.cluster.local:%d", name, a.Namespace, port)
}
