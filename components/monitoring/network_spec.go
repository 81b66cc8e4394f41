package monitoring

import "agentstack/internal/kube"

// anyone is every address but that at which cloud instances find the credentials of their machine.
var anyone = kube.Peer{CIDR: "0.0.0.0/0", Except: []string{"169.254.169.254/32"}}

// between lets pods of a program connect, or be connected to, at a port.
func between(namespace, name string, port int) kube.Traffic {
	return kube.Traffic{
		Peers: []kube.Peer{{Namespace: namespace, Pods: kube.Selector(name)}},
		Ports: []kube.Port{{Number: port}},
	}
}
