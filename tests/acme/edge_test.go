package acme_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gateways "sigs.k8s.io/gateway-api/apis/v1"
)

// edge stands in for Envoy, the network of the cluster and the kubelet, which this test has not. It goes by the objects
// that are there, as they do: where one of them would not serve, the answer is an error.
type edge struct {
	cluster
	// refuses tells, by host, whether a request gets no further than the edge.
	refuses map[string]func(*http.Request) bool
}

// envoyLabels are what Envoy Gateway gives the Envoys of Gateway ai-agent.
var envoyLabels = labels.Set{
	"app.kubernetes.io/name": "envoy", "app.kubernetes.io/component": "proxy",
	"gateway.envoyproxy.io/owning-gateway-name": "ai-agent",
}

// start listens at port 80 of a loopback address, since an authority asks there, and no other port can be given.
func (e edge) start(t *testing.T, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "80"))
	if err != nil {
		t.Fatalf("listen where the authority asks: %v", err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: e, ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
}

func (e edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Pebble names the port, too.
	r.Host, _, _ = strings.Cut(r.Host, ":")
	if refuse := e.refuses[r.Host]; refuse != nil && refuse(r) {
		http.Error(w, "no healthy upstream", http.StatusServiceUnavailable)
		return
	}
	route, rule, err := e.match(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	for _, filter := range rule.Filters {
		if redirect := filter.RequestRedirect; redirect != nil {
			http.Redirect(w, r, *redirect.Scheme+"://"+r.Host+r.URL.Path, *redirect.StatusCode)
			return
		}
	}
	answer, err := e.solve(r.Context(), route.Namespace, rule.BackendRefs[0])
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprint(w, answer)
}

// match returns the rule of the listener for HTTP that a request belongs to: an exact path comes before a prefix.
// https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule
func (e edge) match(r *http.Request) (route gateways.HTTPRoute, rule gateways.HTTPRouteRule, err error) {
	var routes gateways.HTTPRouteList
	if err := e.List(r.Context(), &routes); err != nil {
		return route, rule, err
	}
	longest := -1
	for _, candidate := range routes.Items {
		if !slices.Contains(candidate.Spec.Hostnames, gateways.Hostname(r.Host)) || !onListener(candidate, "http") {
			continue
		}
		for _, offered := range candidate.Spec.Rules {
			for _, match := range offered.Matches {
				length := len(*match.Path.Value)
				if *match.Path.Type == gateways.PathMatchExact {
					if *match.Path.Value != r.URL.Path {
						continue
					}
					length += 1 << 10
				} else if !strings.HasPrefix(r.URL.Path, *match.Path.Value) {
					continue
				}
				if length > longest {
					longest, route, rule = length, candidate, offered
				}
			}
		}
	}
	if longest < 0 {
		return route, rule, fmt.Errorf("no route for http://%s%s", r.Host, r.URL.Path)
	}
	return route, rule, nil
}

func onListener(route gateways.HTTPRoute, name gateways.SectionName) bool {
	return slices.ContainsFunc(route.Spec.ParentRefs, func(parent gateways.ParentReference) bool {
		return parent.Name == "ai-agent" && parent.SectionName != nil && *parent.SectionName == name
	})
}

// solve answers as the pod behind a Service would, whose arguments say with what. Envoy has to be let through to it.
func (e edge) solve(ctx context.Context, namespace string, backend gateways.HTTPBackendRef) (string, error) {
	var service corev1.Service
	key := client.ObjectKey{Namespace: namespace, Name: string(backend.Name)}
	if err := e.Get(ctx, key, &service); err != nil {
		return "", err
	}
	if service.Spec.Ports[0].Port != *backend.Port {
		return "", fmt.Errorf("service %s has no port %d", service.Name, *backend.Port)
	}
	var pods corev1.PodList
	selector := client.MatchingLabels(service.Spec.Selector)
	if err := e.List(ctx, &pods, client.InNamespace(namespace), selector); err != nil {
		return "", err
	}
	if len(pods.Items) != 1 {
		return "", fmt.Errorf("service %s has %d pods", service.Name, len(pods.Items))
	}
	pod := pods.Items[0]
	if err := e.admits(ctx, pod, service.Spec.Ports[0].TargetPort.IntVal); err != nil {
		return "", err
	}
	for _, argument := range pod.Spec.Containers[0].Args {
		if answer, found := strings.CutPrefix(argument, "--key="); found {
			return answer, nil
		}
	}
	return "", fmt.Errorf("pod %s has no key", pod.Name)
}

// admits returns an error unless a policy lets Envoy reach a port of a pod. What none lets through, the namespace
// refuses.
func (e edge) admits(ctx context.Context, pod corev1.Pod, port int32) error {
	var policies networkingv1.NetworkPolicyList
	if err := e.List(ctx, &policies, client.InNamespace(pod.Namespace)); err != nil {
		return err
	}
	envoyNamespace := labels.Set{corev1.LabelMetadataName: "envoy-gateway-system"}
	for _, policy := range policies.Items {
		if !selects(&policy.Spec.PodSelector, labels.Set(pod.Labels)) {
			continue
		}
		for _, rule := range policy.Spec.Ingress {
			from := slices.ContainsFunc(rule.From, func(peer networkingv1.NetworkPolicyPeer) bool {
				return selects(peer.NamespaceSelector, envoyNamespace) && selects(peer.PodSelector, envoyLabels)
			})
			to := slices.ContainsFunc(rule.Ports, func(allowed networkingv1.NetworkPolicyPort) bool {
				return allowed.Port.IntVal == port
			})
			if from && to {
				return nil
			}
		}
	}
	return fmt.Errorf("no NetworkPolicy lets Envoy reach port %d of pod %s", port, pod.Name)
}

func selects(selector *metav1.LabelSelector, set labels.Set) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(set)
}
