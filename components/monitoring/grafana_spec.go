package monitoring

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// passwordKey is the key of the administrator's password in Grafana's Secret.
const passwordKey = "admin-password"

// Files of Grafana, which reads each from a folder of its own.
const (
	fileSources   = "datasources.yaml"
	fileProviders = "providers.yaml"
	fileOverview  = "overview.json"
)

// grafana keeps nothing: what it shows is in its ConfigMap.
func grafana(args Args, config, password pulumi.StringPtrInput) program {
	const provisioning = "/etc/grafana/provisioning"
	return program{
		name: nameGrafana, namespace: args.Namespace, image: imageGrafana, user: userGrafana, replicas: 1,
		env: corev1.EnvVarArray{
			kube.EnvFromSecret("GF_SECURITY_ADMIN_PASSWORD", password, passwordKey),
			kube.Env("GF_AUTH_ANONYMOUS_ENABLED", "false"),
			kube.Env("GF_USERS_ALLOW_SIGN_UP", "false"),
			kube.Env("GF_SECURITY_DISABLE_GRAVATAR", "true"),
			kube.Env("GF_ANALYTICS_REPORTING_ENABLED", "false"),
			kube.Env("GF_ANALYTICS_CHECK_FOR_UPDATES", "false"),
			kube.Env("GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "false"),
			kube.Env("GF_PLUGINS_PREINSTALL_DISABLED", "true"),
			kube.Env("GF_LOG_MODE", "console"),
		},
		port:  portGrafana,
		ready: "/api/health", alive: "/healthz",
		resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "50m", Memory: "128Mi"},
			Limits:   kube.ResourceList{Memory: "512Mi"},
		},
		volumes: []volume{
			configured("datasources", provisioning+"/datasources", config, fileSources),
			configured("providers", provisioning+"/dashboards", config, fileProviders),
			configured("dashboards", dashboardPath, config, fileOverview),
			scratch(dataVolume, "/var/lib/grafana", "256Mi"),
			scratch("tmp", "/tmp", "64Mi"),
		},
		annotations: map[string]string{"prometheus.io/scrape": "true"},
	}
}

// dashboardPath is where Grafana finds the dashboards, as its provider says.
const dashboardPath = "/etc/grafana/dashboards"

// grafanaTraffic lets people in through `kubectl port-forward` alone, which no policy concerns.
func grafanaTraffic(args Args) (ingress, egress []kube.Traffic) {
	return []kube.Traffic{between(args.Namespace, namePrometheus, portGrafana)}, []kube.Traffic{
		kube.DNS(),
		between(args.Namespace, namePrometheus, portPrometheus),
		between(args.Namespace, nameLoki, portLoki),
	}
}
