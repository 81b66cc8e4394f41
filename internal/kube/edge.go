package kube

const (
	// EdgeGateway is the name of the Gateway that lets requests in.
	EdgeGateway = "ai-agent"
	// EdgeNamespace is that of Envoy Gateway, which also keeps the Envoys there. It is no namespace of this program.
	EdgeNamespace = "envoy-gateway-system"
	// LabelOwnerGateway has the name of the Gateway that an Envoy belongs to.
	LabelOwnerGateway = "gateway.envoyproxy.io/owning-gateway-name"
)

// EnvoyPods are the labels of the Envoys that Envoy Gateway makes for the Gateway.
var EnvoyPods = map[string]string{LabelName: "envoy", LabelComponent: "proxy", LabelOwnerGateway: EdgeGateway}
