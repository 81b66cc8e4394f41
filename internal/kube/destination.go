package kube

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// podIdentityAgent gives the pods of EKS their credentials, on port 80 of each machine.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
const podIdentityAgent = "169.254.170.23/32"

// Traffic returns what pods that use the store have to reach. Of AWS it is any public address, and, without a Secret,
// the agent that gives them credentials; of another store, its port.
func (s ObjectStore) Traffic() []Traffic {
	if s.Endpoint != "" {
		return []Traffic{ToURL(s.Endpoint)}
	}
	traffic := []Traffic{Internet(443)}
	if s.SecretName == nil {
		traffic = append(traffic, Traffic{Peers: []Peer{{CIDR: podIdentityAgent}}, Ports: []Port{{Number: 80}}})
	}
	return traffic
}

// ToURL lets pods reach the server of a valid URL: for a Service (name.namespace.svc) the pods of that namespace, which
// have to listen on the port of the Service; for an address that address, which may be a private one; for any other
// name all public addresses.
func ToURL(valid string) Traffic {
	parsed, err := url.Parse(valid)
	if err != nil {
		panic("not a valid URL, which Validate reports: " + err.Error())
	}
	host, port := parsed.Hostname(), portOf(parsed)
	service := strings.Split(strings.TrimSuffix(host, ".cluster.local"), ".")
	if len(service) == 3 && service[2] == "svc" {
		return Traffic{Peers: []Peer{{Namespace: service[1]}}, Ports: []Port{{Number: port}}}
	}
	if address, err := netip.ParseAddr(host); err == nil {
		only := netip.PrefixFrom(address, address.BitLen())
		return Traffic{Peers: []Peer{{CIDR: only.String()}}, Ports: []Port{{Number: port}}}
	}
	return Internet(port)
}

func portOf(u *url.URL) int {
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}
