package cluster

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"agentstack/local/plugins/kubernetes/object"
)

const (
	dialTimeout  = 10 * time.Second // to a host that does not answer at all
	probeTimeout = 15 * time.Second // for the first request
	defaultQPS   = 50               // requests per second, the official provider's
	defaultBurst = 120              // requests at once, the official provider's
)

// Client talks to one API server. Safe for concurrent use.
type Client struct {
	dynamic dynamic.Interface
	core    corev1.CoreV1Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
	backoff wait.Backoff // between attempts to create

	mu      sync.Mutex
	pending map[schema.GroupKind]meta.RESTScopeName // kinds that this program is about to define
}

// Options tune the client; zero values are the defaults.
type Options struct {
	QPS     float32
	Burst   int
	Timeout time.Duration // of one request; zero is none
	// CreateAttempts is how often to try to create an object whose namespace or kind is missing; zero is 6, which
	// takes about 30 seconds.
	CreateAttempts int
	// Warn gets the API server's own warnings: deprecated kinds, pods that a policy would refuse.
	Warn func(ctx context.Context, message string)
}

// New returns a client for the API server of config after one successful request to it.
func New(ctx context.Context, config *rest.Config, options Options) (*Client, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst, config.Timeout = options.QPS, options.Burst, options.Timeout
	if config.QPS == 0 {
		config.QPS = defaultQPS
	}
	if config.Burst == 0 {
		config.Burst = defaultBurst
	}
	config.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	config.UserAgent = "pulumi-resource-kubernetes (agentstack)"
	config.WarningHandlerWithContext = warnings(options.Warn)

	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make HTTP client: %w", err)
	}
	dynamicClient, err := dynamic.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("make dynamic client: %w", err)
	}
	coreClient, err := corev1.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("make core client: %w", err)
	}
	discoveryClient, err := discovery.NewDiscoveryClientForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("make discovery client: %w", err)
	}
	probe, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := discoveryClient.RESTClient().Get().AbsPath("/version").Do(probe).Error(); err != nil {
		return nil, err
	}
	backoff := createBackoff
	if options.CreateAttempts > 0 {
		backoff.Steps = options.CreateAttempts
	}
	return &Client{
		dynamic: dynamicClient,
		core:    coreClient,
		mapper:  restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discoveryClient)),
		backoff: backoff,
		pending: map[schema.GroupKind]meta.RESTScopeName{},
	}, nil
}

// warnings is the handler of the API server's Warning headers.
type warnings func(ctx context.Context, message string)

// HandleWarningHeaderWithContext is called by client-go.
func (w warnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _, message string) {
	const miscellaneous = 299 // the only code that Kubernetes uses
	if w != nil && code == miscellaneous && message != "" {
		w(ctx, message)
	}
}

// Core returns the client of core/v1, for events and logs.
func (c *Client) Core() corev1.CoreV1Interface { return c.core }

// Refresh forgets which kinds the server has, so that one just defined is found.
func (c *Client) Refresh() { c.mapper.Reset() }

// Knows reports whether the server has the kind.
func (c *Client) Knows(gvk schema.GroupVersionKind) bool {
	_, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	return err == nil
}

// Expect notes that the program defines the kind of crd, before the server knows it.
func (c *Client) Expect(crd *unstructured.Unstructured) {
	spec, _ := crd.Object["spec"].(map[string]any)
	names, _ := spec["names"].(map[string]any)
	group, _ := spec["group"].(string)
	kind, _ := names["kind"].(string)
	scope := meta.RESTScopeNameNamespace
	if spec["scope"] == "Cluster" {
		scope = meta.RESTScopeNameRoot
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending[schema.GroupKind{Group: group, Kind: kind}] = scope
}

// Expects reports whether the program defines the kind itself.
func (c *Client) Expects(gvk schema.GroupVersionKind) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.pending[gvk.GroupKind()]
	return ok
}

// Namespaced reports whether objects of the kind live in a namespace. An unknown kind is taken to.
func (c *Client) Namespaced(gvk schema.GroupVersionKind) (bool, error) {
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err == nil {
		return mapping.Scope.Name() == meta.RESTScopeNameNamespace, nil
	}
	if !meta.IsNoMatchError(err) {
		return false, fmt.Errorf("find kind %s: %w", gvk, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	scope, ok := c.pending[gvk.GroupKind()]
	return !ok || scope == meta.RESTScopeNameNamespace, nil
}

// existing is resource for an object that is expected to exist: before it concludes from an unknown kind
// that the object is gone, it asks the server again.
func (c *Client) existing(obj *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	resource, err := c.resource(obj)
	if !meta.IsNoMatchError(err) {
		return resource, err
	}
	c.Refresh()
	return c.resource(obj)
}

// resource returns the client for the object's kind and namespace. It clears the namespace of an object
// whose kind turns out to have none.
func (c *Client) resource(obj *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	gvk := obj.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		unstructured.RemoveNestedField(obj.Object, "metadata", "namespace")
		return c.dynamic.Resource(mapping.Resource), nil
	}
	if object.Namespace(obj) == "" {
		object.SetMetadata(obj, "namespace", "default")
	}
	return c.dynamic.Resource(mapping.Resource).Namespace(object.Namespace(obj)), nil
}
