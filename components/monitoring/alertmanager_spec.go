package monitoring

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// Where Alertmanager finds the URL that it posts to: it is secret, so that it cannot be in the configuration.
const (
	webhookPath = "/etc/alertmanager-webhook"
	webhookKey  = "url"
)

// silences is the size of an Alertmanager's volume: silences, and what was sent.
const silences = "1Gi"

// alertmanager returns the program; webhook is the Secret with the URL, nil without one.
func alertmanager(args Args, config, webhook pulumi.StringPtrInput) program {
	p := program{
		name: nameAlertmanager, namespace: args.Namespace, image: imageAlertmanager, user: userPrometheus,
		replicas: args.Alertmanagers,
		args: append([]string{
			"--config.file=/etc/alertmanager/alertmanager.yml",
			"--storage.path=/alertmanager",
		}, gossip(args)...),
		env:   corev1.EnvVarArray{fromField("POD_IP", "status.podIP")},
		port:  portAlertmanager,
		ready: "/-/ready",
		alive: "/-/healthy",
		resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "10m", Memory: "32Mi"},
			Limits:   kube.ResourceList{Memory: "256Mi"},
		},
		volumes: []volume{configured("config", "/etc/alertmanager", config), claimed("/alertmanager")},
	}
	if webhook != nil {
		p.volumes = append(p.volumes, volume{name: "webhook", path: webhookPath, source: &corev1.VolumeArgs{
			Secret: &corev1.SecretVolumeSourceArgs{SecretName: webhook, DefaultMode: pulumi.Int(0o440)},
		}})
	}
	return p
}

// gossip makes Alertmanagers find each other, or keeps a single one from listening.
func gossip(args Args) []string {
	if args.Alertmanagers == 1 {
		return []string{"--cluster.listen-address="}
	}
	flags := []string{
		fmt.Sprintf("--cluster.listen-address=0.0.0.0:%d", portGossip),
		fmt.Sprintf("--cluster.advertise-address=$(POD_IP):%d", portGossip),
	}
	for index := range args.Alertmanagers {
		flags = append(flags, fmt.Sprintf("--cluster.peer=%[1]s-%[2]d.%[3]s.%[4]s.svc.cluster.local:%[5]d",
			nameAlertmanager, index, headless(nameAlertmanager), args.Namespace, portGossip))
	}
	return flags
}

func alertmanagerTraffic(args Args) (ingress, egress []kube.Traffic) {
	peers := kube.Traffic{
		Peers: []kube.Peer{{Pods: kube.Selector(nameAlertmanager)}},
		Ports: []kube.Port{{Number: portGossip}, {Number: portGossip, Protocol: "UDP"}},
	}
	ingress = []kube.Traffic{between(args.Namespace, namePrometheus, portAlertmanager), peers}
	egress = []kube.Traffic{kube.DNS(), peers}
	if args.AlertWebhook != nil {
		// Where the webhook is, is secret.
		egress = append(egress, kube.Traffic{Peers: []kube.Peer{anyone}})
	}
	return ingress, egress
}

func fromField(name, path string) *corev1.EnvVarArgs {
	return &corev1.EnvVarArgs{
		Name: pulumi.String(name),
		ValueFrom: &corev1.EnvVarSourceArgs{
			FieldRef: &corev1.ObjectFieldSelectorArgs{FieldPath: pulumi.String(path)},
		},
	}
}
