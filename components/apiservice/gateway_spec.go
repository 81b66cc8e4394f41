package apiservice

import "agentstack/internal/kube"

// Names of the edge's objects. Envoy's own are in the namespace of Envoy Gateway.
const (
	gatewayName   = kube.EdgeGateway
	edgeName      = "ai-agent-edge"
	tlsSecretName = "api-tls"
	listenerHTTP  = "http"
	listenerHTTPS = "https"
)

// envoys are where requests come from.
var envoys = kube.Peer{Namespace: kube.EdgeNamespace, Pods: kube.EnvoyPods}

var wholeGateway = targetRef{Group: gatewayGroup, Kind: kindGateway, Name: gatewayName}

// edgeObject returns the metadata of an object of the edge.
func edgeObject(args Args, name string) kube.Metadata {
	return kube.Metadata{Name: name, Namespace: args.Namespace, Labels: kube.Labels(edgeName, "edge", args.Region)}
}

// gateway is ready once an Envoy serves and has an address.
func gateway(args Args) kube.CustomResource[gatewaySpec] {
	meta := edgeObject(args, gatewayName)
	meta.Annotations = kube.WaitFor("condition=Programmed")
	same := allowedRoutes{Namespaces: routeNamespaces{From: "Same"}}
	host := listenerHost(*args.Edge)
	return kube.CustomResource[gatewaySpec]{
		APIVersion: gatewayAPIVersion,
		Kind:       kindGateway,
		Metadata:   meta,
		Spec: gatewaySpec{
			GatewayClassName: "envoy",
			Infrastructure: infrastructure{ParametersRef: targetRef{
				Group: envoyGroup, Kind: kindEnvoyProxy, Name: edgeName,
			}},
			Listeners: []listener{
				{Name: listenerHTTP, Protocol: "HTTP", Port: 80, Hostname: host, AllowedRoutes: same},
				{
					Name: listenerHTTPS, Protocol: "HTTPS", Port: 443, Hostname: host, AllowedRoutes: same,
					TLS: &listenerTLS{
						Mode:            "Terminate",
						CertificateRefs: []namedResource{{Kind: "Secret", Name: tlsSecretName}},
					},
				},
			},
		},
	}
}

// listenerHost is the one name that connections are taken for. A listener has room for one; for several, and for a load
// balancer that connects without saying a name, connections are taken for any, and routes tell the names apart.
func listenerHost(edge Edge) string {
	if edge.inCloud() || len(edge.Hosts) > 1 {
		return ""
	}
	return edge.Hosts[0]
}
