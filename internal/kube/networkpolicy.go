package kube

import (
	"fmt"

	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// metadataAddress answers cloud instances with the credentials of their machine.
const metadataAddress = "169.254.169.254/32"

// privateRanges are the addresses of private networks. https://datatracker.ietf.org/doc/html/rfc1918
var privateRanges = []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}

// Traffic is what a NetworkPolicy lets through: connections with any of Peers to any of Ports. Without peers it is
// anyone, without ports any port.
type Traffic struct {
	Peers []Peer
	Ports []Port
}

// Peer is the other side of a connection: pods, or a range of addresses.
type Peer struct {
	// Namespace of the pods. Empty: that of the policy.
	Namespace string
	// Pods are labels of the pods. Empty: all pods of the namespace.
	Pods map[string]string
	// CIDR is a range of addresses, and Except what is left out of it. With it, the fields above stay empty.
	CIDR   string
	Except []string
}

// Port is a port of the side that listens.
type Port struct {
	Number int
	// Protocol is TCP or UDP. Default TCP.
	Protocol string
}

// DNS lets pods resolve names.
func DNS() Traffic {
	return Traffic{
		Peers: []Peer{{Namespace: "kube-system", Pods: map[string]string{"k8s-app": "kube-dns"}}},
		Ports: []Port{{Number: 53, Protocol: "UDP"}, {Number: 53}},
	}
}

// APIServer lets pods reach the API of Kubernetes. Its servers are no pods, so they can be told by their ports alone:
// 443 is that of the Service, 6443 the usual one of the servers behind it.
func APIServer() Traffic {
	return Traffic{
		Peers: []Peer{{CIDR: "0.0.0.0/0", Except: []string{metadataAddress}}},
		Ports: []Port{{Number: 443}, {Number: 6443}},
	}
}

// Prometheus is who asks pods for their metrics.
func Prometheus() Peer {
	return Peer{Namespace: "monitoring", Pods: Selector("prometheus")}
}

// Internet lets pods reach public addresses on the given TCP ports.
func Internet(ports ...int) Traffic {
	traffic := Traffic{Peers: []Peer{{CIDR: "0.0.0.0/0", Except: append([]string{metadataAddress}, privateRanges...)}}}
	for _, port := range ports {
		traffic.Ports = append(traffic.Ports, Port{Number: port})
	}
	return traffic
}

// NewNetworkPolicy registers a policy for the pods with the given labels, all pods of the namespace without any. What
// it does not list is refused, in both directions.
func NewNetworkPolicy(ctx *pulumi.Context, name string, meta Metadata, pods map[string]string,
	ingress, egress []Traffic, opts ...pulumi.ResourceOption,
) error {
	var in networkingv1.NetworkPolicyIngressRuleArray
	for _, traffic := range ingress {
		in = append(in, &networkingv1.NetworkPolicyIngressRuleArgs{From: traffic.peers(), Ports: traffic.ports()})
	}
	var out networkingv1.NetworkPolicyEgressRuleArray
	for _, traffic := range egress {
		out = append(out, &networkingv1.NetworkPolicyEgressRuleArgs{To: traffic.peers(), Ports: traffic.ports()})
	}
	_, err := networkingv1.NewNetworkPolicy(ctx, name, &networkingv1.NetworkPolicyArgs{
		Metadata: meta.Args(),
		Spec: &networkingv1.NetworkPolicySpecArgs{
			PodSelector: MatchLabels(pods),
			PolicyTypes: pulumi.ToStringArray([]string{"Ingress", "Egress"}),
			Ingress:     in,
			Egress:      out,
		},
	}, opts...)
	if err != nil {
		return fmt.Errorf("register NetworkPolicy %s: %w", name, err)
	}
	return nil
}

func (t Traffic) peers() networkingv1.NetworkPolicyPeerArray {
	var peers networkingv1.NetworkPolicyPeerArray
	for _, peer := range t.Peers {
		peers = append(peers, peer.args())
	}
	return peers
}

func (p Peer) args() *networkingv1.NetworkPolicyPeerArgs {
	if p.CIDR != "" {
		return &networkingv1.NetworkPolicyPeerArgs{IpBlock: &networkingv1.IPBlockArgs{
			Cidr:   pulumi.String(p.CIDR),
			Except: pulumi.ToStringArray(p.Except),
		}}
	}
	args := &networkingv1.NetworkPolicyPeerArgs{PodSelector: MatchLabels(p.Pods)}
	if p.Namespace != "" {
		args.NamespaceSelector = MatchLabels(map[string]string{"kubernetes.io/metadata.name": p.Namespace})
	}
	return args
}

func (t Traffic) ports() networkingv1.NetworkPolicyPortArray {
	var ports networkingv1.NetworkPolicyPortArray
	for _, port := range t.Ports {
		protocol := port.Protocol
		if protocol == "" {
			protocol = "TCP"
		}
		ports = append(ports, &networkingv1.NetworkPolicyPortArgs{
			Port:     pulumi.Int(port.Number),
			Protocol: pulumi.String(protocol),
		})
	}
	return ports
}
