package apiservice

// The fields of the objects of the Gateway API that this program sets.
// https://gateway-api.sigs.k8s.io/reference/api-spec/main/spec/

const (
	gatewayGroup      = "gateway.networking.k8s.io"
	gatewayAPIVersion = gatewayGroup + "/v1"
	kindGateway       = "Gateway"
	kindRoute         = "HTTPRoute"
)

type gatewaySpec struct {
	GatewayClassName string         `json:"gatewayClassName"`
	Infrastructure   infrastructure `json:"infrastructure"`
	Listeners        []listener     `json:"listeners"`
}

type infrastructure struct {
	ParametersRef targetRef `json:"parametersRef"`
}

// targetRef names an object of the same namespace. SectionName is a listener of a Gateway, "" all of them.
type targetRef struct {
	Group       string `json:"group"`
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	SectionName string `json:"sectionName,omitempty"`
}

type listener struct {
	Name          string        `json:"name"`
	Protocol      string        `json:"protocol"`
	Port          int           `json:"port"`
	Hostname      string        `json:"hostname,omitempty"`
	TLS           *listenerTLS  `json:"tls,omitempty"`
	AllowedRoutes allowedRoutes `json:"allowedRoutes"`
}

type listenerTLS struct {
	Mode            string          `json:"mode"`
	CertificateRefs []namedResource `json:"certificateRefs"`
}

type namedResource struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

type allowedRoutes struct {
	Namespaces routeNamespaces `json:"namespaces"`
}

type routeNamespaces struct {
	From string `json:"from"`
}

type routeSpec struct {
	ParentRefs []parentRef `json:"parentRefs"`
	Hostnames  []string    `json:"hostnames"`
	Rules      []routeRule `json:"rules"`
}

type parentRef struct {
	Name        string `json:"name"`
	SectionName string `json:"sectionName"`
}

type routeRule struct {
	Name        string         `json:"name,omitempty"`
	Matches     []routeMatch   `json:"matches,omitempty"`
	Filters     []routeFilter  `json:"filters,omitempty"`
	Timeouts    *routeTimeouts `json:"timeouts,omitempty"`
	BackendRefs []backendRef   `json:"backendRefs,omitempty"`
}

type routeMatch struct {
	Path    valueMatch   `json:"path"`
	Headers []valueMatch `json:"headers,omitempty"`
}

// valueMatch matches a path, or the header Name.
type valueMatch struct {
	Name  string `json:"name,omitempty"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

type routeFilter struct {
	Type            string           `json:"type"`
	RequestRedirect *requestRedirect `json:"requestRedirect,omitempty"`
	ExtensionRef    *targetRef       `json:"extensionRef,omitempty"`
}

type requestRedirect struct {
	Scheme     string `json:"scheme"`
	StatusCode int    `json:"statusCode"`
}

type routeTimeouts struct {
	Request string `json:"request"`
}

// backendRef sends Weight parts of the traffic, of the sum of all weights, to a Service.
type backendRef struct {
	Name   string `json:"name"`
	Port   int    `json:"port"`
	Weight int    `json:"weight"`
}
