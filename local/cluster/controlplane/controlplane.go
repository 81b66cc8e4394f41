// Package controlplane runs etcd, the API server, the controller manager, the scheduler and a kube-proxy of one region
// in the region's own network namespace.
package controlplane

import (
	"fmt"
	"os"
	"time"

	"agentstack/local/cluster/action"
	"agentstack/local/cluster/pki"
	"agentstack/local/cluster/supervisor"
	"agentstack/local/cluster/topology"
)

const (
	readyTimeout = 3 * time.Minute
	// stopTimeout lets the API server end its open requests, and etcd give up its lock on the data.
	stopTimeout = 15 * time.Second
)

// Execute starts the control plane of a region and waits until the API server and its controllers are ready.
func Execute(c action.Context, r topology.Region) error {
	if err := os.MkdirAll(r.Path("etcd"), 0o700); err != nil {
		return fmt.Errorf("make etcd folder: %w", err)
	}
	if err := start(c, r, "etcd", "etcd", etcd(r)); err != nil {
		return err
	}
	if err := start(c, r, "apiserver", "kube-apiserver", apiServer(r)); err != nil {
		return err
	}
	err := c.Poll(readyTimeout, "the API server of "+r.Name, func() (string, error) {
		_, err := c.Kubectl(r, "", "get", "--raw", "/readyz")
		return "", err
	})
	if err != nil {
		return err
	}
	if err := start(c, r, "controller-manager", "kube-controller-manager", controllerManager(r)); err != nil {
		return err
	}
	return start(c, r, "scheduler", "kube-scheduler", []string{
		"--kubeconfig=" + pki.Kubeconfig(r, "scheduler"),
		"--bind-address=127.0.0.1",
	})
}

func start(c action.Context, r topology.Region, name, binary string, args []string) error {
	path, err := c.Binary(binary)
	if err != nil {
		return err
	}
	return c.Supervisor.Ensure(c, supervisor.Unit{
		Name: r.Name + "-" + name, Namespace: r.ControlPlaneNamespace(),
		Args: append([]string{path}, args...), StopTimeout: stopTimeout,
	})
}

// etcd listens in the region's namespace on loopback alone, so that only the control plane can reach it.
func etcd(r topology.Region) []string {
	return []string{
		"--name=" + r.Name,
		"--data-dir=" + r.Path("etcd"),
		"--listen-client-urls=http://127.0.0.1:2379",
		"--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380",
		"--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--initial-cluster=" + r.Name + "=http://127.0.0.1:2380",
		"--auto-compaction-retention=5m",
		"--quota-backend-bytes=2147483648",
	}
}

func apiServer(r topology.Region) []string {
	crt := func(name string) string { return r.Path("pki", name+".crt") }
	key := func(name string) string { return r.Path("pki", name+".key") }
	return []string{
		"--etcd-servers=http://127.0.0.1:2379",
		"--bind-address=" + r.ControlPlane,
		"--advertise-address=" + r.ControlPlane,
		"--secure-port=6443",
		"--service-cluster-ip-range=" + r.ServiceCIDR,
		"--authorization-mode=Node,RBAC",
		"--anonymous-auth=false",
		"--enable-admission-plugins=NodeRestriction",
		"--client-ca-file=" + crt("ca"),
		"--tls-cert-file=" + crt("apiserver"),
		"--tls-private-key-file=" + key("apiserver"),
		"--kubelet-certificate-authority=" + crt("ca"),
		"--kubelet-client-certificate=" + crt("apiserver-kubelet-client"),
		"--kubelet-client-key=" + key("apiserver-kubelet-client"),
		// Without this, logs and exec would look the node's name up in a DNS that does not know it.
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + key("service-accounts"),
		"--service-account-signing-key-file=" + key("service-accounts"),
		"--proxy-client-cert-file=" + crt("front-proxy-client"),
		"--proxy-client-key-file=" + key("front-proxy-client"),
		"--requestheader-client-ca-file=" + crt("front-proxy-ca"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		// Webhooks and metrics APIs are reached by their pods' addresses.
		"--enable-aggregator-routing=true",
	}
}

func controllerManager(r topology.Region) []string {
	return []string{
		"--kubeconfig=" + pki.Kubeconfig(r, "controller-manager"),
		"--bind-address=127.0.0.1",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + r.Path("pki", "service-accounts.key"),
		"--root-ca-file=" + r.Path("pki", "ca.crt"),
		"--cluster-cidr=" + r.PodCIDR,
		"--allocate-node-cidrs=false",
		// A lost node is noticed within 20 s instead of Kubernetes' 50 s.
		"--node-monitor-grace-period=20s",
	}
}
