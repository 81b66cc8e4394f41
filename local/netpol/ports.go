package netpol

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const lastPort = 65535

// protocols are those that a policy can name, in the order of their rules.
var protocols = []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}

// portMatches returns expressions of nft, one of which holds where a packet goes to one of the ports. Named ports are
// those of the pods that the packet may go to.
func portMatches(ports []networkingv1.NetworkPolicyPort, destinations []pod) ([]string, error) {
	if len(ports) == 0 {
		return []string{""}, nil
	}
	numbered := map[corev1.Protocol][]span{}
	var errs []error
	var matches []string
	for _, p := range ports {
		protocol := corev1.ProtocolTCP
		if p.Protocol != nil {
			protocol = *p.Protocol
		}
		if !slices.Contains(protocols, protocol) {
			errs = append(errs, fmt.Errorf("protocol %q is none of %v", protocol, protocols))
			continue
		}
		if p.Port != nil && p.Port.Type == intstr.String && p.EndPort == nil {
			matches = append(matches, named(p.Port.StrVal, protocol, destinations)...)
			continue
		}
		s, err := portSpan(p)
		numbered[protocol] = append(numbered[protocol], s)
		errs = append(errs, err)
	}
	for _, protocol := range protocols {
		if all := numbered[protocol]; len(all) > 0 {
			matches = append(matches, portMatch(protocol, newSpans(all...)))
		}
	}
	return matches, errors.Join(errs...)
}

func portSpan(p networkingv1.NetworkPolicyPort) (span, error) {
	if p.Port == nil {
		if p.EndPort != nil {
			return span{}, errors.New("endPort without port")
		}
		return span{0, lastPort}, nil
	}
	first := p.Port.IntVal
	last := first
	if p.EndPort != nil {
		last = *p.EndPort
	}
	if p.Port.Type != intstr.Int || first < 1 || last < first || last > lastPort {
		return span{}, fmt.Errorf("ports %s to %d are no range", p.Port, last)
	}
	return span{uint32(first), uint32(last)}, nil
}

func portMatch(protocol corev1.Protocol, ports spans) string {
	name := strings.ToLower(string(protocol))
	if ports[0] == (span{0, lastPort}) {
		return "meta l4proto " + name
	}
	return name + " dport " + ports.ports()
}

// named returns one expression for each number that pods give to the name.
func named(name string, protocol corev1.Protocol, destinations []pod) []string {
	var numbers []uint32
	byNumber := map[uint32][]span{}
	for _, p := range destinations {
		n, ok := p.port(name, protocol)
		if !ok {
			continue
		}
		if byNumber[n] == nil {
			numbers = append(numbers, n)
		}
		byNumber[n] = append(byNumber[n], span{p.address, p.address})
	}
	var matches []string
	for _, n := range numbers {
		addresses := newSpans(byNumber[n]...).addresses()
		matches = append(matches, "ip daddr "+addresses+" "+portMatch(protocol, spans{{n, n}}))
	}
	return matches
}
