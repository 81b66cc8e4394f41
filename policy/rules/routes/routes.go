// Package routes judges what the outside can reach, and how.
package routes

import (
	"strings"

	"agentstack/policy/rule"
)

// Rules of this concern.
var Rules = []rule.Rule{{
	Name: "ingress-tls",
	Description: "An Ingress serves HTTPS: by tls with a Secret, or at an AWS load balancer by a certificate of ACM " +
		"and a redirect from HTTP. https://kubernetes.io/docs/concepts/services-networking/ingress/#tls",
	Level:    rule.Mandatory,
	Resource: ingressTLS,
}, {
	Name: "gateway-tls",
	Description: "Listeners of a Gateway speak HTTPS or TLS with a certificate; one for HTTP has only routes that " +
		"redirect. https://gateway-api.sigs.k8s.io/guides/tls/",
	Level: rule.Mandatory,
	Stack: gatewayTLS,
}, {
	Name: "route-no-internal-paths",
	Description: "Nothing routes /metrics, /livez or /ready from outside: they tell attackers how the service is " +
		"built and when it is weak.",
	Level:    rule.Mandatory,
	Resource: noInternalPaths,
}, {
	Name: "service-internal",
	Description: "Services are reached inside the cluster or through a route: LoadBalancer, NodePort and external " +
		"addresses go around TLS, limits and logs of the edge. " +
		"https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types",
	Level:    rule.Mandatory,
	Resource: serviceInternal,
}}

var internalPaths = []string{"/metrics", "/livez", "/ready"}

const annotationALB = "alb.ingress.kubernetes.io/"

func ingressTLS(resource rule.Resource, report rule.Report) {
	if !resource.IsA("networking.k8s.io/Ingress") {
		return
	}
	annotations := resource.At("metadata.annotations")
	tls, certificate := resource.At("spec.tls"), annotations.Key(annotationALB+"certificate-arn")
	if tls.Empty() && certificate.Empty() {
		report(tls, "is missing: name a host and a Secret, or an ACM certificate in the annotation %s",
			annotationALB+"certificate-arn")
	}
	if redirect := annotations.Key(annotationALB + "ssl-redirect"); !certificate.Empty() && redirect.Empty() {
		report(redirect, "is missing: set it to \"443\", so that HTTP is redirected")
	}
}

func gatewayTLS(stack rule.Stack, report rule.Report) {
	for _, gateway := range stack.Of("gateway.networking.k8s.io/Gateway") {
		for _, listener := range gateway.At("spec.listeners").Items() {
			switch protocol := listener.At("protocol"); {
			case protocol.Unknown():
			case protocol.Is("HTTP"):
				onlyRedirects(stack, gateway, listener, report)
			case !protocol.Is("HTTPS", "TLS"):
				report(protocol, "must be HTTPS or TLS, or HTTP to redirect")
			case listener.At("tls.certificateRefs").Empty() && !listener.At("tls.mode").CanBe("Passthrough"):
				report(listener.At("tls.certificateRefs"), "is missing: name a Secret with a certificate")
			}
		}
	}
}

func onlyRedirects(stack rule.Stack, gateway rule.Resource, listener rule.Value, report rule.Report) {
	for _, route := range stack.Of("gateway.networking.k8s.io/HTTPRoute") {
		if attached(route, gateway, listener) && !redirects(route.At("spec.rules")) {
			report(route.At("spec.rules"), "answers plain HTTP on listener %s: redirect with a RequestRedirect "+
				"filter, or attach to the HTTPS listener by sectionName", listener.At("name").Text())
		}
	}
}

// attached reports whether the route is known to be served on the listener. A parent without sectionName stands for all
// listeners.
func attached(route, gateway rule.Resource, listener rule.Value) bool {
	if route.Provider != gateway.Provider {
		return false
	}
	for _, parent := range route.At("spec.parentRefs").Items() {
		section := parent.At("sectionName")
		if parent.At("name").Is(gateway.ObjectName().Text()) &&
			(section.Missing() || section.Is(listener.At("name").Text())) {
			return true
		}
	}
	return false
}

// redirects reports whether every rule of a route redirects, or may.
func redirects(rules rule.Value) bool {
	for _, one := range rules.Items() {
		redirected := one.At("filters").Unknown()
		for _, filter := range one.At("filters").Items() {
			redirected = redirected || filter.At("type").CanBe("RequestRedirect")
		}
		if !redirected {
			return false
		}
	}
	return !rules.Empty()
}

func noInternalPaths(resource rule.Resource, report rule.Report) {
	switch {
	case resource.IsA("networking.k8s.io/Ingress"):
		for _, host := range resource.At("spec.rules").Items() {
			for _, path := range host.At("http.paths").Items() {
				judgePath(path.At("path"), path.At("pathType").CanBe("Exact"), report)
			}
		}
		if backend := resource.At("spec.defaultBackend"); !backend.Empty() && !backend.Unknown() {
			report(backend, "routes every path: list the paths of the API instead")
		}
	case resource.IsA("gateway.networking.k8s.io/HTTPRoute"):
		for _, one := range resource.At("spec.rules").Items() {
			if !redirects(one) {
				judgeMatches(one.At("matches"), report)
			}
		}
	}
}

func judgeMatches(matches rule.Value, report rule.Report) {
	if matches.Empty() {
		report(matches, "is missing, which routes every path: list the paths of the API")
	}
	for _, match := range matches.Items() {
		judgePath(match.At("path.value").Or("/"), match.At("path.type").CanBe("Exact"), report)
	}
}

func judgePath(path rule.Value, exact bool, report rule.Report) {
	prefix := strings.TrimSuffix(path.Text(), "/")
	for _, internal := range internalPaths {
		inside := prefix == internal || strings.HasPrefix(prefix, internal+"/")
		if outside := path.Text() == "/" && !exact; inside || outside {
			report(path, "%q routes %s to the outside: list the paths of the API instead", path.Text(), internal)
			return
		}
	}
}

func serviceInternal(resource rule.Resource, report rule.Report) {
	if !resource.IsA("core/Service") {
		return
	}
	if at := resource.At("spec.type").Or("ClusterIP"); !at.CanBe("ClusterIP", "ExternalName") {
		report(at, "is %s: use ClusterIP, and an Ingress or HTTPRoute for what the outside may reach", at.Text())
	}
	if at := resource.At("spec.externalIPs"); !at.Empty() && !at.Unknown() {
		report(at, "must not be set: anyone who may set it can take over traffic to that address (CVE-2020-8554)")
	}
}
