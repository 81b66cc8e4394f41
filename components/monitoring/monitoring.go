// Package monitoring watches one region: Prometheus with its rules, Alertmanager, exporters, the collection of logs
// into Loki, metrics for autoscalers, and Grafana where it is wanted.
//
// # What is scraped
//
// Prometheus finds its targets by the labels of pods, so that each pod is one, and never through a Service. A pod
// that no job knows is scraped at its port named "metrics" or "http" when it has the annotation
// prometheus.io/scrape: "true". Every series has the labels namespace, pod, container, node, zone and region of its
// pod, but no other label of it.
//
// # Who may do what
//
// The node agents, node-exporter and the log collector, run in a namespace of their own, which allows host paths.
// Everything else satisfies the restricted Pod Security Standard. Each program has a ServiceAccount; only those of
// Prometheus, its adapter and kube-state-metrics have a token. Nothing is reachable from outside: use `kubectl
// port-forward`.
package monitoring

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const typeToken = "agentstack:components:MonitoringStack"

// MonitoringStack is the running monitoring of a region.
//
//nolint:revive // the name is that of the type token, which is permanent
type MonitoringStack struct {
	pulumi.ResourceState

	// PrometheusURL, AlertmanagerURL and LokiURL are where each answers inside the cluster, without a path.
	PrometheusURL, AlertmanagerURL, LokiURL string
	// GrafanaURL is empty without Grafana. Its administrator's password is in the Secret GrafanaSecretName under the
	// key "admin-password".
	GrafanaURL, GrafanaSecretName string
}

// New registers the monitoring of a region. Bad arguments register nothing.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*MonitoringStack, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("validate arguments of %s: %w", name, err)
	}
	args.Settings = args.withDefaults()
	stack := &MonitoringStack{
		PrometheusURL:   args.url(namePrometheus, portPrometheus),
		AlertmanagerURL: args.url(nameAlertmanager, portAlertmanager),
		LokiURL:         args.url(nameLoki, portLoki),
	}
	if args.Grafana {
		stack.GrafanaURL, stack.GrafanaSecretName = args.url(nameGrafana, portGrafana), nameGrafana
	}
	if err := ctx.RegisterComponentResource(typeToken, name, stack, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	r := registration{ctx: ctx, args: args, parent: pulumi.Parent(stack)}
	if err := r.register(); err != nil {
		return nil, fmt.Errorf("register resources of %s: %w", name, err)
	}
	if err := ctx.RegisterResourceOutputs(stack, pulumi.Map{
		"prometheusUrl":   pulumi.String(stack.PrometheusURL),
		"alertmanagerUrl": pulumi.String(stack.AlertmanagerURL),
		"lokiUrl":         pulumi.String(stack.LokiURL),
		"grafanaUrl":      pulumi.String(stack.GrafanaURL),
	}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return stack, nil
}
