package monitoring

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// registration registers the children of one MonitoringStack.
type registration struct {
	ctx    *pulumi.Context
	args   Args
	parent pulumi.ResourceOption
}

func (r registration) register() error {
	for _, program := range []struct {
		name     string
		register func() error
	}{
		{nameLoki, r.loki},
		{nameCollector, r.collector},
		{nameKubeState, r.kubeState},
		{nameNodeExporter, r.nodeExporter},
		{nameAlertmanager, r.alertmanager},
		{namePrometheus, r.prometheus},
		{nameAdapter, r.adapter},
		{nameGrafana, r.grafana},
	} {
		if err := program.register(); err != nil {
			return fmt.Errorf("register %s: %w", program.name, err)
		}
	}
	return nil
}

func (r registration) prometheus() error {
	files, err := prometheusFiles(r.args)
	if err != nil {
		return err
	}
	config, err := r.configMap(namePrometheus, r.args.Namespace, files)
	if err != nil {
		return err
	}
	p := prometheus(r.args, config)
	ingress, egress := prometheusTraffic(r.args)
	if err := r.access(p, ingress, egress); err != nil {
		return err
	}
	if err := r.clusterRole(p, prometheusRules()); err != nil {
		return err
	}
	return r.statefulSet(p, r.args.Storage.Size)
}

func (r registration) alertmanager() error {
	text, err := alertmanagerConfig(r.args)
	if err != nil {
		return err
	}
	config, err := r.configMap(nameAlertmanager, r.args.Namespace, map[string]string{"alertmanager.yml": text})
	if err != nil {
		return err
	}
	p := alertmanager(r.args, config, nil)
	if r.args.AlertWebhook != nil {
		secret, err := kube.NewSecret(r.ctx, r.args.resourceName("alertmanager-webhook"), r.args.metadata(p, ""),
			pulumi.StringMap{webhookKey: r.args.AlertWebhook}, r.parent, replaceData)
		if err != nil {
			return err
		}
		p = alertmanager(r.args, config, secret.Metadata.Name())
	}
	ingress, egress := alertmanagerTraffic(r.args)
	if err := r.access(p, ingress, egress); err != nil {
		return err
	}
	return r.statefulSet(p, silences)
}

func (r registration) loki() error {
	text, err := lokiConfig(r.args)
	if err != nil {
		return err
	}
	config, err := r.configMap(nameLoki, r.args.Namespace, map[string]string{"loki.yaml": text})
	if err != nil {
		return err
	}
	p := loki(r.args, config)
	ingress, egress := lokiTraffic(r.args)
	if err := r.access(p, ingress, egress); err != nil {
		return err
	}
	return r.statefulSet(p, r.args.Storage.LogSize)
}

func (r registration) collector() error {
	text, err := collectorConfig(r.args)
	if err != nil {
		return err
	}
	config, err := r.configMap(nameCollector, r.args.NodeNamespace, map[string]string{"collector.yaml": text})
	if err != nil {
		return err
	}
	p := collector(r.args, config)
	ingress, egress := collectorTraffic(r.args)
	if err := r.access(p, ingress, egress); err != nil {
		return err
	}
	return r.daemonSet(p)
}

func (r registration) nodeExporter() error {
	p := nodeExporter(r.args)
	if err := r.access(p, nodeExporterIngress(r.args), nil); err != nil {
		return err
	}
	return r.daemonSet(p)
}

func (r registration) kubeState() error {
	p := kubeState(r.args)
	ingress, egress := kubeStateTraffic(r.args)
	if err := r.access(p, ingress, egress); err != nil {
		return err
	}
	if err := r.clusterRole(p, kubeStateRules()); err != nil {
		return err
	}
	_, err := r.deployment(p)
	return err
}

func (r registration) grafana() error {
	if !r.args.Grafana {
		return nil
	}
	files, err := grafanaFiles(r.args)
	if err != nil {
		return err
	}
	config, err := r.configMap(nameGrafana, r.args.Namespace, files)
	if err != nil {
		return err
	}
	named := program{name: nameGrafana, namespace: r.args.Namespace}
	secret, err := kube.NewGeneratedSecret(r.ctx, r.args.resourceName(nameGrafana), r.args.metadata(named, nameGrafana),
		passwordKey, r.parent)
	if err != nil {
		return err
	}
	p := grafana(r.args, config, secret.Metadata.Name())
	ingress, egress := grafanaTraffic(r.args)
	if err := r.access(p, ingress, egress); err != nil {
		return err
	}
	if _, err := r.deployment(p); err != nil {
		return err
	}
	_, err = r.service(p)
	return err
}
