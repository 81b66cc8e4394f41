// Package routes judges what the outside can reach, and how.
package routes

import (
	"slices"
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
		"built and when it is weak. An HTTPRoute for every path needs another one that answers these itself.",
	Level: rule.Mandatory,
	Stack: noInternalPaths,
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
		if !hasFilter(one, "RequestRedirect") {
			return false
		}
	}
	return !rules.Empty()
}

// hasFilter reports whether a rule of a route has a filter of the type, or may.
func hasFilter(one rule.Value, filterType string) bool {
	if one.At("filters").Unknown() {
		return true
	}
	for _, filter := range one.At("filters").Items() {
		if filter.At("type").CanBe(filterType) {
			return true
		}
	}
	return false
}

// answered reports whether a rule of a route has no backend, but a filter that answers in its place.
func answered(one rule.Value) bool {
	return hasFilter(one, "RequestRedirect") || one.At("backendRefs").Empty() && hasFilter(one, "ExtensionRef")
}

func noInternalPaths(stack rule.Stack, report rule.Report) {
	for _, resource := range stack.Of("networking.k8s.io/Ingress") {
		for _, host := range resource.At("spec.rules").Items() {
			for _, path := range host.At("http.paths").Items() {
				judgePath(path.At("path"), path.At("pathType").CanBe("Exact"), internalPaths, report)
			}
		}
		if backend := resource.At("spec.defaultBackend"); !backend.Empty() && !backend.Unknown() {
			report(backend, "routes every path: list the paths of the API instead")
		}
	}
	for _, resource := range stack.Of("gateway.networking.k8s.io/HTTPRoute") {
		open := openPaths(stack, resource)
		for _, one := range resource.At("spec.rules").Items() {
			if !answered(one) {
				judgeMatches(one.At("matches"), open, report)
			}
		}
	}
}

// openPaths are the internal paths that no route with the same parents and host names answers itself, or may. Its
// longer match wins over the one for every path.
func openPaths(stack rule.Stack, route rule.Resource) []string {
	closed := map[string]bool{}
	for _, other := range stack.Of("gateway.networking.k8s.io/HTTPRoute") {
		if other.Beside(route) && (other.At("spec").Partly() || route.At("spec").Partly()) {
			return nil
		}
		if !sameTraffic(other, route) {
			continue
		}
		for _, one := range other.At("spec.rules").Items() {
			for _, match := range one.At("matches").Items() {
				if answered(one) && wholePath(match) {
					closed[match.At("path.value").Text()] = true
				}
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(internalPaths), func(path string) bool { return closed[path] })
}

// wholePath reports whether a match takes every request for a path and what is below it.
func wholePath(match rule.Value) bool {
	return match.At("path.type").Or("PathPrefix").Is("PathPrefix") &&
		match.At("headers").Empty() && match.At("method").Missing() && match.At("queryParams").Empty()
}

// sameTraffic reports whether two routes in one namespace have the same parents and host names.
func sameTraffic(a, b rule.Resource) bool {
	sameParent := func(x, y rule.Value) bool {
		return x.At("name").Text() == y.At("name").Text() && x.At("sectionName").Text() == y.At("sectionName").Text()
	}
	sameHost := func(x, y rule.Value) bool { return x.Text() == y.Text() }
	return a.Beside(b) &&
		slices.EqualFunc(a.At("spec.parentRefs").Items(), b.At("spec.parentRefs").Items(), sameParent) &&
		slices.EqualFunc(a.At("spec.hostnames").Items(), b.At("spec.hostnames").Items(), sameHost)
}

func judgeMatches(matches rule.Value, open []string, report rule.Report) {
	if matches.Empty() && len(open) > 0 {
		report(matches, "is missing, which routes every path: list the paths of the API")
	}
	for _, match := range matches.Items() {
		judgePath(match.At("path.value").Or("/"), match.At("path.type").CanBe("Exact"), open, report)
	}
}

// judgePath reports a path that leads to an internal one, and one for every path unless all internal ones are closed.
func judgePath(path rule.Value, exact bool, open []string, report rule.Report) {
	prefix := strings.TrimSuffix(path.Text(), "/")
	for _, internal := range internalPaths {
		inside := prefix == internal || strings.HasPrefix(prefix, internal+"/")
		everything := path.Text() == "/" && !exact && slices.Contains(open, internal)
		if inside || everything {
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
