package netpol

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Snapshot is what the rules of a node are made from.
type Snapshot struct {
	Node       string
	Pods       []*corev1.Pod
	Namespaces []*corev1.Namespace
	Policies   []*networkingv1.NetworkPolicy
}

// direction is one of the two in which a pod can be isolated.
type direction struct {
	policyType networkingv1.PolicyType
	// chains prefixes the names of chains and is the name of the map; own and peer are the fields of a packet.
	chains, own, peer string
}

var (
	ingress = direction{networkingv1.PolicyTypeIngress, "ingress", "ip daddr", "ip saddr"}
	egress  = direction{networkingv1.PolicyTypeEgress, "egress", "ip saddr", "ip daddr"}
)

// traffic is an ingress or an egress rule of a policy.
type traffic struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

type compiler struct {
	pods       []pod
	namespaces map[string]labels.Set
	// jumps are the policies' chains for each isolated pod of the node, by direction and address.
	jumps  map[direction]map[uint32][]string
	chains []chain
}

// Compile makes the rules of a node. The error says what of the policies cannot be expressed; of such a policy, the
// rules isolate the pods that it selects, and let nothing through for it.
func Compile(s Snapshot) (Ruleset, error) {
	c := &compiler{
		pods: podsOf(s.Pods, s.Node), namespaces: map[string]labels.Set{},
		jumps: map[direction]map[uint32][]string{ingress: {}, egress: {}},
	}
	for _, n := range s.Namespaces {
		c.namespaces[n.Name] = n.Labels
	}
	name := func(p *networkingv1.NetworkPolicy) string { return p.Namespace + "/" + p.Name }
	policies := slices.SortedFunc(slices.Values(s.Policies), func(a, b *networkingv1.NetworkPolicy) int {
		return strings.Compare(name(a), name(b))
	})
	var errs []error
	for n, p := range policies {
		if err := c.policy(n, p); err != nil {
			errs = append(errs, fmt.Errorf("NetworkPolicy %s: %w", name(p), err))
		}
	}
	return c.ruleset(), errors.Join(errs...)
}

func (c *compiler) policy(n int, p *networkingv1.NetworkPolicy) error {
	selector, invalid := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
	if invalid != nil {
		selector = labels.Everything()
	}
	var selected []pod
	for _, pod := range c.pods {
		if pod.local && pod.namespace == p.Namespace && selector.Matches(pod.labels) {
			selected = append(selected, pod)
		}
	}
	errs := []error{invalid}
	for _, d := range []direction{ingress, egress} {
		if !restricts(p, d) {
			continue
		}
		rules, err := c.rules(p, d, selected)
		if errs = append(errs, err); invalid != nil || err != nil {
			rules = nil
		}
		if len(selected) == 0 {
			continue
		}
		name := fmt.Sprintf("%s-policy-%d", d.chains, n)
		c.chains = append(c.chains, chain{name, p.Namespace + "/" + p.Name, rules})
		for _, pod := range selected {
			c.jumps[d][pod.address] = append(c.jumps[d][pod.address], name)
		}
	}
	return errors.Join(errs...)
}

// restricts says whether a policy isolates pods in a direction. Without policyTypes it always does for ingress.
func restricts(p *networkingv1.NetworkPolicy, d direction) bool {
	if len(p.Spec.PolicyTypes) == 0 {
		return d == ingress || len(p.Spec.Egress) > 0
	}
	return slices.Contains(p.Spec.PolicyTypes, d.policyType)
}

// rules accept what a policy lets through, and leave the rest to the next one.
func (c *compiler) rules(p *networkingv1.NetworkPolicy, d direction, selected []pod) ([]string, error) {
	var all []traffic
	destinations := selected
	if d == ingress {
		for _, rule := range p.Spec.Ingress {
			all = append(all, traffic{rule.From, rule.Ports})
		}
	} else {
		for _, rule := range p.Spec.Egress {
			all = append(all, traffic{rule.To, rule.Ports})
		}
		destinations = c.pods
	}
	var rules []string
	var errs []error
	for i, t := range all {
		peers, errPeers := c.peers(p.Namespace, t.peers)
		ports, errPorts := portMatches(t.ports, destinations)
		if err := errors.Join(errPeers, errPorts); err != nil {
			errs = append(errs, fmt.Errorf("%s[%d]: %w", d.chains, i, err))
		}
		if len(t.peers) > 0 && len(peers) == 0 {
			continue // nobody
		}
		for _, port := range ports {
			var match []string
			if len(t.peers) > 0 {
				match = append(match, d.peer, peers.addresses())
			}
			if port != "" {
				match = append(match, port)
			}
			rules = append(rules, strings.Join(append(match, "accept"), " "))
		}
	}
	return rules, errors.Join(errs...)
}

// peers returns the addresses of the other side. Selectors choose pods that have an address of their own.
func (c *compiler) peers(namespace string, peers []networkingv1.NetworkPolicyPeer) (spans, error) {
	var all []span
	var errs []error
	for _, peer := range peers {
		selects := peer.PodSelector != nil || peer.NamespaceSelector != nil
		switch {
		case peer.IPBlock != nil && !selects:
			addresses, err := block(peer.IPBlock)
			all, errs = append(all, addresses...), append(errs, err)
		case selects && peer.IPBlock == nil:
			addresses, err := c.selected(namespace, peer)
			all, errs = append(all, addresses...), append(errs, err)
		default:
			errs = append(errs, errors.New("a peer is either an ipBlock or selectors"))
		}
	}
	return newSpans(all...), errors.Join(errs...)
}

func (c *compiler) selected(namespace string, peer networkingv1.NetworkPolicyPeer) (spans, error) {
	pods := labels.Everything()
	var err error
	if peer.PodSelector != nil {
		if pods, err = metav1.LabelSelectorAsSelector(peer.PodSelector); err != nil {
			return nil, fmt.Errorf("podSelector: %w", err)
		}
	}
	namespaces := labels.Nothing()
	if peer.NamespaceSelector != nil {
		if namespaces, err = metav1.LabelSelectorAsSelector(peer.NamespaceSelector); err != nil {
			return nil, fmt.Errorf("namespaceSelector: %w", err)
		}
	}
	var addresses spans
	for _, p := range c.pods {
		inside := peer.NamespaceSelector == nil && p.namespace == namespace
		if space, known := c.namespaces[p.namespace]; known && namespaces.Matches(space) {
			inside = true
		}
		if inside && pods.Matches(p.labels) {
			addresses = append(addresses, span{p.address, p.address})
		}
	}
	return addresses, nil
}
