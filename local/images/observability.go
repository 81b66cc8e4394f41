package images

import v1 "github.com/google/go-containerregistry/pkg/v1"

// nobody is the user of Prometheus' own images.
const nobody = "65534"

func prometheus() Image {
	return Image{
		Name: "prometheus",
		Refs: []string{"quay.io/prometheus/prometheus:v3.16.0"},
		Config: v1.Config{
			User:         nobody,
			WorkingDir:   "/prometheus",
			ExposedPorts: map[string]struct{}{"9090/tcp": {}},
			Entrypoint:   []string{"/bin/prometheus"},
		},
		recipe: binaries{
			{name: "prometheus", path: "bin/prometheus", probe: []string{"--version"}},
			{name: "promtool", path: "bin/promtool", probe: []string{"--version"}},
		},
	}
}

func alertmanager() Image {
	return Image{
		Name: "alertmanager",
		Refs: []string{"quay.io/prometheus/alertmanager:v0.34.2"},
		Config: v1.Config{
			User:         nobody,
			WorkingDir:   "/alertmanager",
			ExposedPorts: map[string]struct{}{"9093/tcp": {}},
			Entrypoint:   []string{"/bin/alertmanager"},
		},
		recipe: binaries{
			{name: "alertmanager", path: "bin/alertmanager", probe: []string{"--version"}},
			{name: "amtool", path: "bin/amtool", probe: []string{"--version"}},
		},
	}
}

func nodeExporter() Image {
	return Image{
		Name: "node-exporter",
		Refs: []string{"quay.io/prometheus/node-exporter:v1.12.1"},
		Config: v1.Config{
			User:         nobody,
			ExposedPorts: map[string]struct{}{"9100/tcp": {}},
			Entrypoint:   []string{"/bin/node_exporter"},
		},
		recipe: binary{name: "node_exporter", path: "bin/node_exporter", probe: []string{"--version"}},
	}
}

func kubeStateMetrics() Image {
	return Image{
		Name: "kube-state-metrics",
		Refs: []string{"registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.13.0"},
		Config: v1.Config{
			User:         nobody,
			ExposedPorts: map[string]struct{}{"8080/tcp": {}, "8081/tcp": {}},
			Entrypoint:   []string{"/kube-state-metrics", "--port=8080", "--telemetry-port=8081"},
		},
		recipe: binary{name: "kube-state-metrics", path: "kube-state-metrics", probe: []string{"version"}},
	}
}

func metricsServer() Image {
	return Image{
		Name:   "metrics-server",
		Refs:   []string{"registry.k8s.io/metrics-server/metrics-server:v0.9.0"},
		Config: v1.Config{User: nobody, Entrypoint: []string{"/metrics-server"}},
		recipe: binary{name: "metrics-server", path: "metrics-server", probe: []string{"--version"}},
	}
}

func vpaRecommender() Image {
	return Image{
		Name:   "vpa-recommender",
		Refs:   []string{"registry.k8s.io/autoscaling/vpa-recommender:1.8.1"},
		Config: v1.Config{User: nobody, Entrypoint: []string{"/recommender"}},
		recipe: binary{name: "vpa-recommender", path: "recommender", probe: []string{"--help"}},
	}
}

func prometheusAdapter() Image {
	return Image{
		Name:   "prometheus-adapter",
		Refs:   []string{"registry.k8s.io/prometheus-adapter/prometheus-adapter:v0.12.0"},
		Config: v1.Config{User: nobody, Entrypoint: []string{"/adapter"}},
		recipe: binary{name: "prometheus-adapter", path: "adapter", probe: []string{"--help"}},
	}
}

func redisExporter() Image {
	return Image{
		Name:    "redis-exporter",
		Refs:    []string{"docker.io/oliver006/redis_exporter:v1.69.0"},
		Package: "prometheus-redis-exporter",
		Release: "1.69",
		Config: v1.Config{
			User:         "59000:59000",
			Env:          []string{systemPath},
			ExposedPorts: map[string]struct{}{"9121/tcp": {}},
			Entrypoint:   []string{"/redis_exporter"},
		},
		base:   "debian",
		recipe: script{"redis-exporter"},
	}
}

func openTelemetryCollector() Image {
	return Image{
		Name: "otelcol-contrib",
		Refs: []string{"docker.io/otel/opentelemetry-collector-contrib:0.149.0"},
		Config: v1.Config{
			User:         "10001:10001",
			ExposedPorts: map[string]struct{}{"4317/tcp": {}, "4318/tcp": {}},
			Entrypoint:   []string{"/otelcol-contrib"},
		},
		recipe: binary{name: "otelcol-contrib", path: "otelcol-contrib", probe: []string{"components"}},
	}
}

func loki() Image {
	return Image{
		Name: "loki",
		Refs: []string{"docker.io/grafana/loki:3.7.8"},
		Config: v1.Config{
			User:         "10001",
			WorkingDir:   "/",
			ExposedPorts: map[string]struct{}{"3100/tcp": {}},
			Entrypoint:   []string{"/usr/bin/loki"},
		},
		recipe: binary{name: "loki", path: "usr/bin/loki", probe: []string{"-version"}},
	}
}
