package apiservice

import "fmt"

const (
	// certificatePlaceholder stands for the certificate's ARN, which is known when it is issued.
	certificatePlaceholder = "<certificate ARN>"
	// tlsPolicy is TLS 1.3, and 1.2 with forward secrecy for those who lack it.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/describe-ssl-policies.html
	tlsPolicy = "ELBSecurityPolicy-TLS13-1-2-2021-06"
)

// networkLoadBalancer makes the AWS Load Balancer Controller put a network load balancer in front of the Envoys. It
// ends TLS with the certificate of ACM and speaks TLS to Envoy, whose certificate it does not verify; port 80 it passes
// on.
// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/
func networkLoadBalancer() map[string]string {
	annotations := map[string]string{}
	for name, value := range map[string]string{
		"type":                   "external",
		"nlb-target-type":        "ip",
		"scheme":                 "internet-facing",
		"ssl-cert":               certificatePlaceholder,
		"ssl-ports":              "443",
		"ssl-negotiation-policy": tlsPolicy,
		"alpn-policy":            "HTTP2Preferred",
		"backend-protocol":       "ssl",
		// There are fewer Envoys than zones.
		"attributes": "load_balancing.cross_zone.enabled=true",
		// Envoy counts the requests of an address: it has to be the client's.
		"target-group-attributes": fmt.Sprintf(
			"preserve_client_ip.enabled=true,deregistration_delay.timeout_seconds=%d", int(drainTimeout.Seconds())),
	} {
		annotations["service.beta.kubernetes.io/aws-load-balancer-"+name] = value
	}
	return annotations
}
