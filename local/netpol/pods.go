package netpol

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// pod is what policies see of a pod.
type pod struct {
	namespace, name string
	labels          labels.Set
	address         uint32
	// local says that the pod is on the node that the rules are for.
	local bool
	ports []corev1.ContainerPort
}

// podsOf returns the pods that have an address of their own, sorted by name. Pods on the host's network have their
// node's, and those that ended may share theirs with a later pod.
func podsOf(all []*corev1.Pod, node string) []pod {
	// Until kubelet has told where its pods are after a restart, two may seem to be in one place.
	newest := map[uint32]*corev1.Pod{}
	for _, p := range all {
		a, ok := addressOf(p)
		if other := newest[a]; ok && (other == nil || older(other, p)) {
			newest[a] = p
		}
	}
	var pods []pod
	for a, p := range newest {
		pods = append(pods, pod{
			namespace: p.Namespace, name: p.Name, labels: p.Labels, address: a,
			local: p.Spec.NodeName == node, ports: portsOf(p),
		})
	}
	slices.SortFunc(pods, func(a, b pod) int { return strings.Compare(a.String(), b.String()) })
	return pods
}

func (p pod) String() string { return p.namespace + "/" + p.name }

func older(a, b *corev1.Pod) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.UID < b.UID
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}

func addressOf(p *corev1.Pod) (uint32, bool) {
	ended := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	if p.Spec.HostNetwork || ended {
		return 0, false
	}
	for _, ip := range p.Status.PodIPs {
		if a, err := netip.ParseAddr(ip.IP); err == nil && a.Is4() {
			return number(a), true
		}
	}
	return 0, false
}

func portsOf(p *corev1.Pod) []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			ports = append(ports, c.Ports...)
		}
	}
	for _, c := range p.Spec.Containers {
		ports = append(ports, c.Ports...)
	}
	return ports
}

// port returns the number of a named port.
func (p pod) port(name string, protocol corev1.Protocol) (uint32, bool) {
	for _, port := range p.ports {
		if port.Name == name && (port.Protocol == protocol || port.Protocol == "" && protocol == corev1.ProtocolTCP) {
			return uint32(port.ContainerPort), true
		}
	}
	return 0, false
}
