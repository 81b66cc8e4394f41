package apiservice

import (
	"fmt"
	"time"

	"agentstack/internal/kube"
)

// How long the edge waits: for a connection, for the next byte of a request or an answer, and for a WebSocket to end.
const (
	connectTimeout   = 10 * time.Second
	idleTimeout      = 300 * time.Second
	webSocketTimeout = time.Hour
	// podIdleTimeout is shorter than the 120 seconds after which the API closes a connection that nobody uses: a
	// request that Envoy sends at that moment would be lost, and could not be sent again.
	podIdleTimeout = 60 * time.Second
)

// maxWaiting is how many requests wait for the API at one Envoy: while the database switches over, those of 30 seconds,
// at 300 a second. Envoy's own limit is 1024, beyond which it answers 503.
const maxWaiting = 9000

func seconds(d time.Duration) string { return fmt.Sprintf("%.0fs", d.Seconds()) }

// responseHeaders are on every answer, also on those of Envoy itself. The API answers with JSON: a page that shows it
// may load nothing.
var responseHeaders = []headerValue{
	{"Strict-Transport-Security", "max-age=31536000; includeSubDomains"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "no-referrer"},
	{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
}

// clientTraffic says how Envoy treats the connections of clients. A change makes it take new connections by new rules,
// and ends the old ones when the drain time of the EnvoyProxy is over.
func clientTraffic(args Args) kube.CustomResource[clientTrafficSpec] {
	return kube.CustomResource[clientTrafficSpec]{
		APIVersion: envoyAPIVersion,
		Kind:       "ClientTrafficPolicy",
		Metadata:   edgeObject(args, edgeName),
		Spec: clientTrafficSpec{
			TargetRefs: []targetRef{wholeGateway},
			Connection: clientConnection{ConnectionLimit: connectionLimit{Value: args.Edge.ConnectionLimit}},
			Timeout: clientTimeout{
				TCP: clientTCPTimeout{TLSHandshakeTimeout: seconds(connectTimeout)},
				HTTP: clientHTTPTimeout{
					RequestHeadersReceivedTimeout: seconds(connectTimeout),
					RequestReceivedTimeout:        seconds(idleTimeout),
					IdleTimeout:                   seconds(idleTimeout),
					StreamIdleTimeout:             seconds(idleTimeout),
				},
			},
			TLS: clientTLS{MinVersion: "1.2", ALPNProtocols: []string{"h2", "http/1.1"}},
			Headers: clientHeaders{
				RequestID: "PreserveOrGenerate",
				// No proxy in front is trusted: the API sees one address, that of the connection.
				EarlyRequestHeaders: headerChanges{Remove: []string{"X-Forwarded-For"}},
				LateResponseHeaders: headerChanges{Set: responseHeaders, Remove: []string{"Server"}},
			},
		},
	}
}

// lostPods leaves pods alone that cannot be reached, such as those of a lost node, until Kubernetes notices. What a pod
// answers does not count: whether it can work, its readiness says. Where no pod is ready, all are tried, and answer for
// themselves.
var lostPods = healthCheck{
	PanicThreshold: 1,
	Passive: passiveHealthCheck{
		SplitExternalLocalOriginErrors: true,
		ConsecutiveLocalOriginFailures: 2,
		MaxEjectionPercent:             100,
	},
}

// apiTraffic sends a request to the pod that has the fewest open ones.
func apiTraffic(args Args) kube.CustomResource[backendTrafficSpec] {
	return backendTraffic(args, routeAPI, idleTimeout, loadBalancer{Type: "LeastRequest"})
}

// webSocketTraffic sends all WebSockets of a client to one pod.
func webSocketTraffic(args Args) kube.CustomResource[backendTrafficSpec] {
	return backendTraffic(args, routeWS, webSocketTimeout, loadBalancer{
		Type: "ConsistentHash", ConsistentHash: &consistentHash{Type: "SourceIP"},
	})
}

// backendTraffic tries again only what no pod has seen.
func backendTraffic(args Args, route string, idle time.Duration, balance loadBalancer,
) kube.CustomResource[backendTrafficSpec] {
	return kube.CustomResource[backendTrafficSpec]{
		APIVersion: envoyAPIVersion,
		Kind:       "BackendTrafficPolicy",
		Metadata:   edgeObject(args, route),
		Spec: backendTrafficSpec{
			TargetRefs: []targetRef{{Group: gatewayGroup, Kind: kindRoute, Name: route}},
			Timeout: backendTimeout{
				TCP: backendTCPTimeout{ConnectTimeout: seconds(connectTimeout)},
				HTTP: backendHTTPTimeout{
					StreamIdleTimeout: seconds(idle), ConnectionIdleTimeout: seconds(podIdleTimeout),
				},
			},
			RateLimit: rateLimit{Local: localRateLimit{Rules: []rateLimitRule{{
				// Each address has a bucket of its own.
				ClientSelectors: []clientSelector{{SourceCIDR: sourceCIDR{Type: "Distinct", Value: "0.0.0.0/0"}}},
				Limit:           rate{Requests: args.Edge.RateLimit, Unit: "Second"},
			}}}},
			LoadBalancer: balance,
			Retry: retry{
				NumRetries: 2, RetryOn: retryOn{Triggers: []string{"connect-failure", "refused-stream"}},
			},
			HealthCheck:    lostPods,
			CircuitBreaker: circuitBreaker{maxWaiting, maxWaiting, maxWaiting},
		},
	}
}

// crossOrigin lets pages of other origins call the API, and remember that for 20 days.
func crossOrigin(args Args) kube.CustomResource[securitySpec] {
	target := wholeGateway
	target.SectionName = listenerHTTPS
	return kube.CustomResource[securitySpec]{
		APIVersion: envoyAPIVersion,
		Kind:       "SecurityPolicy",
		Metadata:   edgeObject(args, edgeName),
		Spec: securitySpec{
			TargetRefs: []targetRef{target},
			CORS: cors{
				AllowOrigins:     args.Edge.CORSOrigins,
				AllowMethods:     []string{"GET", "POST", "PUT", "DELETE", "OPTIONS"},
				AllowHeaders:     []string{"Content-Type", "Authorization", "X-Request-ID"},
				ExposeHeaders:    []string{"X-Request-ID", "Retry-After"},
				AllowCredentials: true,
				MaxAge:           "480h",
			},
		},
	}
}

// rateLimitPatch sets what a BackendTrafficPolicy has no fields for: the burst, and when a refused client may come
// back. It has two conditions, Accepted and Programmed, and is in force when both are true.
func rateLimitPatch(args Args) kube.CustomResource[patchSpec] {
	const filter = "..typed_per_filter_config['envoy.filters.http.local_ratelimit']"
	meta := edgeObject(args, edgeName)
	meta.Annotations = kube.WaitFor(`["jsonpath={.status.ancestors[0].conditions[0].status}=True", ` +
		`"jsonpath={.status.ancestors[0].conditions[1].status}=True"]`)
	patch := func(operation patchOperation) jsonPatch {
		return jsonPatch{
			Type: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
			// As Envoy Gateway calls the routes of a listener.
			Name:      args.Namespace + "/" + gatewayName + "/" + listenerHTTPS,
			Operation: operation,
		}
	}
	return kube.CustomResource[patchSpec]{
		APIVersion: envoyAPIVersion,
		Kind:       "EnvoyPatchPolicy",
		Metadata:   meta,
		Spec: patchSpec{
			TargetRef: wholeGateway,
			Type:      "JSONPatch",
			JSONPatches: []jsonPatch{
				patch(patchOperation{
					Op: "add", JSONPath: filter, Path: "response_headers_to_add",
					Value: []headerOption{{
						AppendAction: "OVERWRITE_IF_EXISTS_OR_ADD",
						Header:       envoyHeader{Key: "retry-after", Value: "1"},
					}},
				}),
				patch(patchOperation{
					Op: "replace", JSONPath: filter + ".descriptors[*].token_bucket.max_tokens",
					Value: args.Edge.burst(),
				}),
			},
		},
	}
}

// refusal is what Envoy answers in place of the API.
func refusal(args Args, name string, status int, title string) kube.CustomResource[routeFilterSpec] {
	return kube.CustomResource[routeFilterSpec]{
		APIVersion: envoyAPIVersion,
		Kind:       kindRouteFilter,
		Metadata:   edgeObject(args, name),
		Spec: routeFilterSpec{DirectResponse: directResponse{
			StatusCode:  status,
			ContentType: "application/problem+json",
			Body:        responseBody{Type: "Inline", Inline: fmt.Sprintf(`{"title":%q,"status":%d}`, title, status)},
		}},
	}
}
