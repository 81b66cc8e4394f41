package monitoring

import (
	"fmt"

	apiregistrationv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiregistration/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// certificatePath is where the adapter finds its certificate. It reads it again when it changes.
const certificatePath = "/etc/adapter-certificate"

// The API that the adapter serves, as a part of that of Kubernetes.
const (
	metricsGroup   = "custom.metrics.k8s.io"
	metricsVersion = "v1beta1"
)

// What every Kubernetes has for servers of a part of its API: the role with which they ask it who a client is and what
// it may do, and the one with which they read whom to believe.
// https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/
const (
	delegatorRole      = "system:auth-delegator"
	authenticationRole = "extension-apiserver-authentication-reader"
	systemNamespace    = "kube-system"
)

// adapter makes metrics of Prometheus readable for autoscalers.
func adapter(args Args, config, certificate pulumi.StringPtrInput) program {
	return program{
		name: nameAdapter, namespace: args.Namespace, image: imageAdapter, user: userPrometheus, replicas: 2,
		args: []string{
			"--config=/etc/adapter/config.yaml",
			"--prometheus-url=" + args.url(namePrometheus, portPrometheus),
			"--metrics-relist-interval=1m",
			fmt.Sprintf("--secure-port=%d", portAdapter),
			"--tls-cert-file=" + certificatePath + "/" + kube.CertificateFile,
			"--tls-private-key-file=" + certificatePath + "/" + kube.KeyFile,
		},
		port:  portAdapter,
		tls:   true,
		ready: "/readyz", alive: "/livez",
		resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "20m", Memory: "64Mi"},
			Limits:   kube.ResourceList{Memory: "256Mi"},
		},
		volumes: []volume{
			configured("config", "/etc/adapter", config),
			{name: "certificate", path: certificatePath, source: &corev1.VolumeArgs{
				Secret: &corev1.SecretVolumeSourceArgs{SecretName: certificate, DefaultMode: pulumi.Int(0o440)},
			}},
		},
		token: true,
	}
}

// adapterTraffic lets anyone in, since the API server is no pod and has no address that is known here: the adapter asks
// it about everyone who connects.
func adapterTraffic(args Args) (ingress, egress []kube.Traffic) {
	return []kube.Traffic{{Ports: []kube.Port{{Number: portAdapter}}}},
		[]kube.Traffic{kube.DNS(), kube.APIServer(), between(args.Namespace, namePrometheus, portPrometheus)}
}

// adapterRules let the adapter find the pods that an autoscaler asks about, in the namespace of the API.
func adapterRules() rbacv1.PolicyRuleArray {
	return rbacv1.PolicyRuleArray{kube.PolicyRule("", []string{"pods"}, "list")}
}

// metricsAPI hands requests for the group to the adapter, and trusts its certificate alone. It counts as created once
// the adapter has answered the API server.
func metricsAPI(args Args, p program, certificate *corev1.Secret) *apiregistrationv1.APIServiceArgs {
	service := p.namespace
	p.namespace = ""
	meta := args.metadata(p, metricsVersion+"."+metricsGroup)
	meta.Annotations = kube.WaitFor("condition=Available")
	return &apiregistrationv1.APIServiceArgs{
		Metadata: meta.Args(),
		Spec: &apiregistrationv1.APIServiceSpecArgs{
			Group:                pulumi.String(metricsGroup),
			Version:              pulumi.String(metricsVersion),
			GroupPriorityMinimum: pulumi.Int(100),
			VersionPriority:      pulumi.Int(100),
			CaBundle:             certificate.Data.MapIndex(pulumi.String(kube.CertificateFile)),
			Service: &apiregistrationv1.ServiceReferenceArgs{
				Name: pulumi.String(p.name), Namespace: pulumi.String(service), Port: pulumi.Int(443),
			},
		},
	}
}
