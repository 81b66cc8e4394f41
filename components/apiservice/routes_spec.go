package apiservice

import (
	"fmt"
	"strings"

	"agentstack/internal/kube"
)

// Routes, and the filters of those that the edge answers itself.
const (
	routeRedirect  = gatewayName + "-redirect"
	routeAPI       = gatewayName + "-api"
	routeWS        = gatewayName + "-ws"
	routeRefused   = gatewayName + "-refused"
	filterNotFound = gatewayName + "-not-found"
	filterTooLarge = gatewayName + "-too-large"
)

// maxBody is the largest body that passes, 50 MiB. The application has the same limit, for bodies that do not say their
// length.
const maxBody = 50 << 20

// internalPaths are for the cluster alone: probes, and metrics.
var internalPaths = []string{"/metrics", "/livez", "/ready"}

func route(args Args, name, section string, rules ...routeRule) kube.CustomResource[routeSpec] {
	return kube.CustomResource[routeSpec]{
		APIVersion: gatewayAPIVersion,
		Kind:       kindRoute,
		Metadata:   edgeObject(args, name),
		Spec: routeSpec{
			ParentRefs: []parentRef{{Name: gatewayName, SectionName: section}},
			Hostnames:  args.Edge.Hosts,
			Rules:      rules,
		},
	}
}

// redirectRoute sends everything that comes in plain to HTTPS, with its method and its body.
func redirectRoute(args Args) kube.CustomResource[routeSpec] {
	return route(args, routeRedirect, listenerHTTP, routeRule{Filters: []routeFilter{{
		Type:            "RequestRedirect",
		RequestRedirect: &requestRedirect{Scheme: "https", StatusCode: 308},
	}}})
}

// apiRoute has no limit for a whole request: a model's answer may stream for longer than any pause in it may last.
func apiRoute(args Args) kube.CustomResource[routeSpec] {
	return route(args, routeAPI, listenerHTTPS, routeRule{
		Name:        "api",
		Matches:     []routeMatch{prefix("/")},
		Timeouts:    &routeTimeouts{Request: "0s"},
		BackendRefs: backends(args),
	})
}

// webSocketRoute ends a WebSocket after an hour; its client connects again and resumes.
func webSocketRoute(args Args) kube.CustomResource[routeSpec] {
	return route(args, routeWS, listenerHTTPS, routeRule{
		Name:        "ws",
		Matches:     []routeMatch{prefix("/ws")},
		Timeouts:    &routeTimeouts{Request: seconds(webSocketTimeout)},
		BackendRefs: backends(args),
	})
}

// backends are the Services that share the traffic.
func backends(args Args) []backendRef {
	stable := backendRef{Name: appName, Port: servicePort, Weight: 100}
	if !args.Canary.Enabled {
		return []backendRef{stable}
	}
	stable.Weight -= args.Canary.Weight
	return []backendRef{stable, {Name: canaryName, Port: servicePort, Weight: args.Canary.Weight}}
}

// refusedRoute is answered by Envoy. Its longer paths win over /, and so does the header over a match without one.
func refusedRoute(args Args) kube.CustomResource[routeSpec] {
	internal := routeRule{Name: "internal", Filters: answeredBy(filterNotFound)}
	for _, path := range internalPaths {
		internal.Matches = append(internal.Matches, prefix(path))
	}
	return route(args, routeRefused, listenerHTTPS, internal, routeRule{
		Name: "too-large",
		Matches: []routeMatch{{
			Path: valueMatch{Type: "PathPrefix", Value: "/"},
			Headers: []valueMatch{{
				Name: "Content-Length", Type: "RegularExpression", Value: numbersAbove(maxBody),
			}},
		}},
		Filters: answeredBy(filterTooLarge),
	})
}

func prefix(path string) routeMatch {
	return routeMatch{Path: valueMatch{Type: "PathPrefix", Value: path}}
}

func answeredBy(filter string) []routeFilter {
	return []routeFilter{{
		Type:         "ExtensionRef",
		ExtensionRef: &targetRef{Group: envoyGroup, Kind: kindRouteFilter, Name: filter},
	}}
}

// numbersAbove returns a regular expression for the decimal numbers above a limit, which has to match the whole value:
// those with more digits, and those that have, after some leading digits of the limit, a larger one.
func numbersAbove(limit int) string {
	digits := fmt.Sprint(limit)
	alternatives := []string{fmt.Sprintf("[0-9]{%d,}", len(digits)+1)}
	for i, digit := range digits {
		if digit == '9' {
			continue
		}
		larger := fmt.Sprintf("%s[%c-9]", digits[:i], digit+1)
		if rest := len(digits) - i - 1; rest > 0 {
			larger += fmt.Sprintf("[0-9]{%d}", rest)
		}
		alternatives = append(alternatives, larger)
	}
	return strings.Join(alternatives, "|")
}
