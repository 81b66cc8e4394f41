package apiservice

// The fields of Envoy Gateway's own objects that this program sets.
// https://gateway.envoyproxy.io/docs/api/extension_types/

const (
	envoyGroup      = "gateway.envoyproxy.io"
	envoyAPIVersion = envoyGroup + "/v1alpha1"
	kindEnvoyProxy  = "EnvoyProxy"
	kindRouteFilter = "HTTPRouteFilter"
)

type routeFilterSpec struct {
	DirectResponse directResponse `json:"directResponse"`
}

type directResponse struct {
	StatusCode  int          `json:"statusCode"`
	ContentType string       `json:"contentType"`
	Body        responseBody `json:"body"`
}

type responseBody struct {
	Type   string `json:"type"`
	Inline string `json:"inline"`
}

type clientTrafficSpec struct {
	TargetRefs []targetRef      `json:"targetRefs"`
	Connection clientConnection `json:"connection"`
	Timeout    clientTimeout    `json:"timeout"`
	TLS        clientTLS        `json:"tls"`
	Headers    clientHeaders    `json:"headers"`
}

type clientConnection struct {
	ConnectionLimit connectionLimit `json:"connectionLimit"`
}

type connectionLimit struct {
	Value int `json:"value"`
}

type clientTimeout struct {
	TCP  clientTCPTimeout  `json:"tcp"`
	HTTP clientHTTPTimeout `json:"http"`
}

type clientTCPTimeout struct {
	TLSHandshakeTimeout string `json:"tlsHandshakeTimeout"`
}

type clientHTTPTimeout struct {
	RequestHeadersReceivedTimeout string `json:"requestHeadersReceivedTimeout"`
	RequestReceivedTimeout        string `json:"requestReceivedTimeout"`
	IdleTimeout                   string `json:"idleTimeout"`
	StreamIdleTimeout             string `json:"streamIdleTimeout"`
}

type clientTLS struct {
	MinVersion    string   `json:"minVersion"`
	ALPNProtocols []string `json:"alpnProtocols"`
}

type clientHeaders struct {
	RequestID           string        `json:"requestID"`
	EarlyRequestHeaders headerChanges `json:"earlyRequestHeaders"`
	LateResponseHeaders headerChanges `json:"lateResponseHeaders"`
}

type headerChanges struct {
	Set    []headerValue `json:"set,omitempty"`
	Remove []string      `json:"remove,omitempty"`
}

type headerValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type backendTrafficSpec struct {
	TargetRefs     []targetRef    `json:"targetRefs"`
	Timeout        backendTimeout `json:"timeout"`
	RateLimit      rateLimit      `json:"rateLimit"`
	LoadBalancer   loadBalancer   `json:"loadBalancer"`
	Retry          retry          `json:"retry"`
	HealthCheck    healthCheck    `json:"healthCheck"`
	CircuitBreaker circuitBreaker `json:"circuitBreaker"`
}

type retry struct {
	NumRetries int     `json:"numRetries"`
	RetryOn    retryOn `json:"retryOn"`
}

type retryOn struct {
	Triggers []string `json:"triggers"`
}

type healthCheck struct {
	PanicThreshold int                `json:"panicThreshold"`
	Passive        passiveHealthCheck `json:"passive"`
}

type passiveHealthCheck struct {
	SplitExternalLocalOriginErrors bool `json:"splitExternalLocalOriginErrors"`
	ConsecutiveLocalOriginFailures int  `json:"consecutiveLocalOriginFailures"`
	Consecutive5xxErrors           int  `json:"consecutive5XxErrors"`
	MaxEjectionPercent             int  `json:"maxEjectionPercent"`
}

type backendTimeout struct {
	TCP  backendTCPTimeout  `json:"tcp"`
	HTTP backendHTTPTimeout `json:"http"`
}

type backendTCPTimeout struct {
	ConnectTimeout string `json:"connectTimeout"`
}

type backendHTTPTimeout struct {
	StreamIdleTimeout     string `json:"streamIdleTimeout"`
	ConnectionIdleTimeout string `json:"connectionIdleTimeout"`
}

type circuitBreaker struct {
	MaxConnections      int `json:"maxConnections"`
	MaxPendingRequests  int `json:"maxPendingRequests"`
	MaxParallelRequests int `json:"maxParallelRequests"`
}

type rateLimit struct {
	Local localRateLimit `json:"local"`
}

type localRateLimit struct {
	Rules []rateLimitRule `json:"rules"`
}

type rateLimitRule struct {
	ClientSelectors []clientSelector `json:"clientSelectors"`
	Limit           rate             `json:"limit"`
}

type clientSelector struct {
	SourceCIDR sourceCIDR `json:"sourceCIDR"`
}

type sourceCIDR struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type rate struct {
	Requests int    `json:"requests"`
	Unit     string `json:"unit"`
}

type loadBalancer struct {
	Type           string          `json:"type"`
	ConsistentHash *consistentHash `json:"consistentHash,omitempty"`
}

type consistentHash struct {
	Type string `json:"type"`
}

type securitySpec struct {
	TargetRefs []targetRef `json:"targetRefs"`
	CORS       cors        `json:"cors"`
}

type cors struct {
	AllowOrigins     []string `json:"allowOrigins"`
	AllowMethods     []string `json:"allowMethods"`
	AllowHeaders     []string `json:"allowHeaders"`
	ExposeHeaders    []string `json:"exposeHeaders"`
	AllowCredentials bool     `json:"allowCredentials"`
	MaxAge           string   `json:"maxAge"`
}

type patchSpec struct {
	TargetRef   targetRef   `json:"targetRef"`
	Type        string      `json:"type"`
	JSONPatches []jsonPatch `json:"jsonPatches"`
}

type jsonPatch struct {
	Type      string         `json:"type"`
	Name      string         `json:"name"`
	Operation patchOperation `json:"operation"`
}

type patchOperation struct {
	Op       string `json:"op"`
	JSONPath string `json:"jsonPath"`
	Path     string `json:"path,omitempty"`
	// Value is whatever the field of Envoy at the path holds.
	Value any `json:"value"`
}

type headerOption struct {
	AppendAction string      `json:"append_action"`
	Header       envoyHeader `json:"header"`
}

type envoyHeader struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}
