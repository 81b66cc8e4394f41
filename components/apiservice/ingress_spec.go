package apiservice

import (
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// idleSeconds is how long the load balancer waits for the next byte of an answer: models take their time.
	idleSeconds = "300"
	// tlsPolicy is TLS 1.3, and 1.2 with forward secrecy for those who lack it.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
	tlsPolicy = "ELBSecurityPolicy-TLS13-1-2-2021-06"
)

// routes are the paths that can be reached from outside: the API itself, its description and its health, but not what
// is for the cluster alone, such as /metrics.
var routes = []string{"/v1", "/ws", "/docs", "/openapi.json", "/health"}

// ingressArgs describes an application load balancer of AWS, made by the AWS Load Balancer Controller.
// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/
func ingressArgs(args Args) *networkingv1.IngressArgs {
	meta := metadata(args, appName).Args()
	meta.Annotations = pulumi.StringMap{
		annotation("scheme"):           pulumi.String("internet-facing"),
		annotation("target-type"):      pulumi.String("ip"),
		annotation("listen-ports"):     pulumi.String(`[{"HTTP":80},{"HTTPS":443}]`),
		annotation("ssl-redirect"):     pulumi.String("443"),
		annotation("ssl-policy"):       pulumi.String(tlsPolicy),
		annotation("certificate-arn"):  args.Ingress.CertificateARN,
		annotation("healthcheck-path"): pulumi.String("/ready"),
		annotation("load-balancer-attributes"): pulumi.String(
			"idle_timeout.timeout_seconds=" + idleSeconds + ",routing.http.drop_invalid_header_fields.enabled=true"),
		// A pod goes on serving for shutdownDelay and then ends its open requests, so no more than both is of use.
		annotation("target-group-attributes"): pulumi.Sprintf("deregistration_delay.timeout_seconds=%d",
			int((shutdownDelay + shutdownTimeout).Seconds())),
	}
	paths := networkingv1.HTTPIngressPathArray{}
	for _, route := range routes {
		paths = append(paths, ingressPath(route))
	}
	rules := networkingv1.IngressRuleArray{}
	for _, host := range args.Ingress.Hosts {
		rules = append(rules, &networkingv1.IngressRuleArgs{
			Host: pulumi.String(host),
			Http: &networkingv1.HTTPIngressRuleValueArgs{Paths: paths},
		})
	}
	return &networkingv1.IngressArgs{
		Metadata: meta,
		Spec:     &networkingv1.IngressSpecArgs{IngressClassName: pulumi.String("alb"), Rules: rules},
	}
}

func annotation(name string) string {
	return "alb.ingress.kubernetes.io/" + name
}

func ingressPath(path string) *networkingv1.HTTPIngressPathArgs {
	return &networkingv1.HTTPIngressPathArgs{
		Path:     pulumi.String(path),
		PathType: pulumi.String("Prefix"),
		Backend: &networkingv1.IngressBackendArgs{Service: &networkingv1.IngressServiceBackendArgs{
			Name: pulumi.String(appName),
			Port: &networkingv1.ServiceBackendPortArgs{Name: pulumi.String("http")},
		}},
	}
}

// hostname returns the name of the load balancer, once it has one: the provider waits for that.
func hostname(ingress *networkingv1.Ingress) pulumi.StringOutput {
	return ingress.Status.LoadBalancer().Ingress().Index(pulumi.Int(0)).Hostname().Elem()
}
