package apiservice_test

import (
	"strings"
	"testing"

	"agentstack/internal/pulumitest"
)

func TestNetworkLoadBalancer(t *testing.T) {
	recording := pulumitest.Up(t, register(balancedArgs()))
	proxy := recording.Find(t, envoyAPI+"EnvoyProxy", name+"-edge")
	service := []any{"spec", "provider", "kubernetes", "envoyService"}
	for key, want := range map[string]string{
		"type":             "external",
		"nlb-target-type":  "ip",
		"scheme":           "internet-facing",
		"ssl-cert":         "arn:aws:acm:eu-west-1:123456789012:certificate/0",
		"ssl-ports":        "443",
		"backend-protocol": "ssl",
		"alpn-policy":      "HTTP2Preferred",
	} {
		annotation := "service.beta.kubernetes.io/aws-load-balancer-" + key
		if got := proxy.At(append(service, "annotations", annotation)...); got != want {
			t.Errorf("%s = %v, want %s", key, got, want)
		}
	}
	attributes, _ := proxy.At(append(service, "annotations",
		"service.beta.kubernetes.io/aws-load-balancer-target-group-attributes")...).(string)
	if !strings.Contains(attributes, "preserve_client_ip.enabled=true") {
		t.Errorf("Envoy sees the load balancer's address: %q", attributes)
	}
	if got := proxy.At(append(service, "type")...); got != "LoadBalancer" {
		t.Errorf("Service of type %v", got)
	}
	// It connects without a name, and does not verify the certificate.
	gateway := recording.Find(t, gatewayAPI+"Gateway", name)
	for listener := range 2 {
		if got := gateway.At("spec", "listeners", listener, "hostname"); got != nil {
			t.Errorf("listener %d takes connections for %v alone", listener, got)
		}
	}
	route := recording.Find(t, gatewayAPI+"HTTPRoute", name)
	for i, want := range []string{"api.example.com", "eu-west-1.api.example.com"} {
		if got := route.At("spec", "hostnames", i); got != want {
			t.Errorf("host %d is %v, want %s", i, got, want)
		}
	}
}

func TestNoLoadBalancerInTheCluster(t *testing.T) {
	recording := pulumitest.Up(t, register(edgeArgs()))
	service := []any{"spec", "provider", "kubernetes", "envoyService"}
	proxy := recording.Find(t, envoyAPI+"EnvoyProxy", name+"-edge")
	if proxy.At(append(service, "type")...) != "ClusterIP" || proxy.At(append(service, "annotations")...) != nil {
		t.Errorf("Service %v", proxy.At(service...))
	}
	if got := proxy.At(append(service, "patch", "value", "spec", "sessionAffinity")...); got != "ClientIP" {
		t.Errorf("affinity %v: a client's rate is counted by each Envoy for itself", got)
	}
	gateway := recording.Find(t, gatewayAPI+"Gateway", name)
	if got := gateway.At("spec", "listeners", 1, "hostname"); got != "api.example.com" {
		t.Errorf("takes connections for %v", got)
	}
}
