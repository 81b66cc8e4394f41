// Package node runs the nodes of a region: for each its own container runtime, kubelet and kube-proxy in a network
// namespace of its own.
package node

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/template"
	"time"

	"agentstack/local/cluster/action"
	"agentstack/local/cluster/cgroup"
	"agentstack/local/cluster/pki"
	"agentstack/local/cluster/supervisor"
	"agentstack/local/cluster/topology"
)

const (
	readyTimeout = 3 * time.Minute
	stopTimeout  = 10 * time.Second
	// kubeletSuffix follows the node's name in the name of its kubelet's unit.
	kubeletSuffix = "-kubelet"
	// containerd and runc come from Debian's packages.
	containerd = "/usr/bin/containerd"
	runc       = "/usr/sbin/runc"
	// podLogs is where a machine has its pods' logs. The nodes' own are elsewhere, see runc.sh; the folder is here for
	// kubelet, which looks for what a pod mounts.
	podLogs = "/var/log/pods"
)

//go:embed files
var files embed.FS

var templates = template.Must(template.ParseFS(files, "files/*"))

// machine is what the configuration files are made from.
type machine struct {
	topology.Node
	Region   topology.Region
	Registry string
	// CNI is the folder of the network plugins, and Runc the program that makes containers.
	CNI, Runc string
	// Generation changes with the content of the files.
	Generation string
}

// Execute starts every node of a region and waits until all are Ready.
func Execute(c action.Context, r topology.Region) error {
	cni, err := c.Binary("bridge")
	if err != nil {
		return err
	}
	var machines []machine
	for _, n := range r.Nodes {
		m := machine{Node: n, Region: r, Registry: c.Instance.Registry(), CNI: filepath.Dir(cni), Runc: runc}
		if m.Generation, err = writeFiles(m); err != nil {
			return fmt.Errorf("configure node %s: %w", n.Name, err)
		}
		machines = append(machines, m)
	}
	for _, do := range []func(action.Context, machine) error{startRuntime, awaitRuntime, startKubelet} {
		for _, m := range machines {
			if err := do(c, m); err != nil {
				return fmt.Errorf("start node %s: %w", m.Name, err)
			}
		}
	}
	err = proxy(c, r, r.Name+"-control-plane", r.Name, r.ControlPlaneNamespace(), r.Path("kube-proxy.yaml"))
	if err != nil {
		return err
	}
	return c.Poll(readyTimeout, "the nodes of "+r.Name+" to be Ready", func() (string, error) { return notReady(c, r) })
}

func startRuntime(c action.Context, m machine) error {
	if err := errors.Join(cgroup.Make(m.Cgroup), os.MkdirAll(podLogs, 0o755)); err != nil {
		return err
	}
	return c.Supervisor.Ensure(c, supervisor.Unit{
		Name: m.Name + "-containerd", Namespace: m.Namespace, StopTimeout: stopTimeout, Generation: m.Generation,
		Args: []string{containerd, "--config", m.Path("containerd.toml")},
	})
}

// awaitRuntime waits until the runtime answers: a kubelet that finds none ends.
func awaitRuntime(c action.Context, m machine) error {
	return c.AwaitSocket(readyTimeout, "the container runtime of "+m.Name, m.Path("containerd.sock"))
}

func startKubelet(c action.Context, m machine) error {
	kubelet, err := c.Binary("kubelet")
	if err != nil {
		return err
	}
	err = c.Supervisor.Ensure(c, supervisor.Unit{
		Name: m.Name + kubeletSuffix, Namespace: m.Namespace, StopTimeout: stopTimeout, Generation: m.Generation,
		Args: []string{
			kubelet, "--config=" + m.Path("kubelet.yaml"), "--kubeconfig=" + pki.Kubeconfig(m.Region, m.Name),
			"--root-dir=" + m.Path("kubelet"), "--hostname-override=" + m.Name, "--node-ip=" + m.Address,
			"--node-labels=topology.kubernetes.io/region=" + m.Region.Name + ",topology.kubernetes.io/zone=" + m.Zone,
		},
	})
	if err != nil {
		return err
	}
	return proxy(c, m.Region, m.Name, m.Name, m.Namespace, m.Path("kube-proxy.yaml"))
}

func proxy(c action.Context, r topology.Region, hostname, unit, namespace, file string) error {
	var config bytes.Buffer
	if err := templates.ExecuteTemplate(&config, "kube-proxy.yaml", r); err != nil {
		return fmt.Errorf("render kube-proxy.yaml: %w", err)
	}
	if err := writeIfChanged(file, config.Bytes()); err != nil {
		return err
	}
	binary, err := c.Binary("kube-proxy")
	if err != nil {
		return err
	}
	return c.Supervisor.Ensure(c, supervisor.Unit{
		Name: unit + "-kube-proxy", Namespace: namespace, StopTimeout: stopTimeout,
		Args:       []string{binary, "--config=" + file, "--hostname-override=" + hostname},
		Generation: config.String(),
	})
}

// writeFiles writes a node's configuration and returns what changes where the content does.
func writeFiles(m machine) (generation string, err error) {
	targets := map[string]string{
		"containerd.toml": m.Path("containerd.toml"),
		"kubelet.yaml":    m.Path("kubelet.yaml"),
		"cni.conflist":    m.Path("cni", "net.d", "10-bridge.conflist"),
		"hosts.toml":      m.Path("certs.d", "_default", "hosts.toml"),
		"resolv.conf":     m.Path("resolv.conf"),
		"runc.sh":         m.Path("runc.sh"),
	}
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		path := targets[name]
		var content bytes.Buffer
		if err := templates.ExecuteTemplate(&content, name, m); err != nil {
			return "", fmt.Errorf("render %s: %w", name, err)
		}
		if err := writeIfChanged(path, content.Bytes()); err != nil {
			return "", err
		}
		_, _ = sum.Write(content.Bytes())
	}
	return hex.EncodeToString(sum.Sum(nil)), errors.Join(
		os.Chmod(m.Path("runc.sh"), 0o700),
		os.MkdirAll(m.Path("volumes"), 0o711), os.MkdirAll(m.Path("pod-logs"), 0o711))
}

// writeIfChanged leaves a file alone that holds the content already: kube-proxy ends when its file is written.
func writeIfChanged(path string, content []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
