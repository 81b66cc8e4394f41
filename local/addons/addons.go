// Package addons installs what a region needs beyond its nodes: DNS, a default StorageClass, the metrics API,
// CloudNativePG and Envoy Gateway.
package addons

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"

	"agentstack/local/cluster/action"
	"agentstack/local/cluster/topology"
)

const (
	fieldManager = "localcloud"
	readyTimeout = 4 * time.Minute
)

//go:embed manifests
var manifests embed.FS

var templates = template.Must(
	template.New("").Funcs(template.FuncMap{"base64": encodeFile}).ParseFS(manifests, "manifests/*"))

// workload is a Deployment that must be available before the next step.
type workload struct{ namespace, name string }

// Upstream is what the addons take as it was released.
type Upstream struct {
	// CloudNativePG is the release manifest of the operator.
	CloudNativePG string
	// Definitions are folders of CustomResourceDefinitions.
	Definitions []string
}

// Execute applies the addons to a region and waits until they are available.
func Execute(c action.Context, r topology.Region, upstream Upstream) error {
	for _, folder := range upstream.Definitions {
		if err := define(c, r, folder); err != nil {
			return err
		}
	}
	for _, name := range []string{
		"coredns.yaml", "local-path-provisioner.yaml", "metrics-server.yaml", "vpa-recommender.yaml",
		"envoy-gateway.yaml",
	} {
		manifest, err := render(name, r)
		if err != nil {
			return err
		}
		if err := apply(c, r, manifest); err != nil {
			return fmt.Errorf("apply %s: %w", name, err)
		}
	}
	if err := apply(c, r, adapt(upstream.CloudNativePG)); err != nil {
		return fmt.Errorf("apply CloudNativePG: %w", err)
	}
	for _, w := range []workload{
		{"kube-system", "coredns"},
		{"local-path-storage", "local-path-provisioner"},
		{"cnpg-system", "cnpg-controller-manager"},
		{"kube-system", "metrics-server"},
		{"kube-system", "vpa-recommender"},
		{"envoy-gateway-system", "envoy-gateway"},
	} {
		if err := await(c, r, w); err != nil {
			return err
		}
	}
	err := c.Poll(readyTimeout, "CloudNativePG's webhook in "+r.Name, func() (string, error) {
		_, err := c.Kubectl(r, probe, "create", "--dry-run=server", "-f", "-")
		return "", err
	})
	if err != nil {
		return err
	}
	if err := awaitMetrics(c, r); err != nil {
		return err
	}
	return awaitGatewayClass(c, r)
}

// define installs the definitions of a folder and waits until objects of them are accepted.
func define(c action.Context, r topology.Region, folder string) error {
	if _, err := c.Kubectl(r, "", "apply", "--server-side", "--force-conflicts",
		"--field-manager="+fieldManager, "-f", folder); err != nil {
		return fmt.Errorf("apply definitions: %w", err)
	}
	return c.Poll(readyTimeout, "the definitions of "+r.Name, func() (string, error) {
		_, err := c.Kubectl(r, "", "wait", "--for=condition=Established", "--timeout=20s", "-f", folder)
		return "", err
	})
}

func render(name string, r topology.Region) (string, error) {
	var manifest bytes.Buffer
	if err := templates.ExecuteTemplate(&manifest, name, r); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return manifest.String(), nil
}

// encodeFile gives a certificate or key as manifests hold it.
func encodeFile(path string) (string, error) {
	content, err := os.ReadFile(path)
	return base64.StdEncoding.EncodeToString(content), err
}

// probe is an object that CloudNativePG's webhook must see before the API server accepts it.
const probe = `
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: probe, namespace: default}
spec: {instances: 1, storage: {size: 1Gi}}
`

// adapt gives the operator a whole core, half of it for certain: with the released limit of a tenth of one it misses
// its own probes while two cores start everything at once, and promotes nobody while everybody else is busy failing.
// And it runs two of them, on different nodes: with one, the loss of a node that has it and a primary leaves nobody to
// promote a replica for five minutes.
func adapt(manifest string) string {
	const account = "      serviceAccountName: cnpg-manager\n"
	return strings.NewReplacer(
		"limits:\n            cpu: 100m", "limits:\n            cpu: \"1\"",
		"requests:\n            cpu: 100m", "requests:\n            cpu: 500m",
		"\n  replicas: 1\n", "\n  replicas: 2\n",
		account, account+"      topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, "+
			"whenUnsatisfiable: DoNotSchedule, "+
			"labelSelector: {matchLabels: {app.kubernetes.io/name: cloudnative-pg}}}]\n",
	).Replace(manifest)
}

func apply(c action.Context, r topology.Region, manifest string) error {
	_, err := c.Kubectl(r, manifest, "apply", "--server-side", "--force-conflicts",
		"--field-manager="+fieldManager, "-f", "-")
	return err
}

// await waits for the rollout of the newest generation, and names the pods that are not ready.
func await(c action.Context, r topology.Region, w workload) error {
	return c.Poll(readyTimeout, w.namespace+"/"+w.name+" in "+r.Name, func() (string, error) {
		_, err := c.Kubectl(r, "", "-n", w.namespace, "rollout", "status", "deployment/"+w.name, "--timeout=2s")
		if err == nil {
			return "", nil
		}
		pods, podsErr := c.Kubectl(r, "", "-n", w.namespace, "get", "pods", "--no-headers")
		return strings.TrimSpace(pods), podsErr
	})
}

// awaitMetrics waits until the API server reaches the metrics API, and tells what it says of it.
func awaitMetrics(c action.Context, r topology.Region) error {
	const service = "apiservice/v1beta1.metrics.k8s.io"
	return c.Poll(readyTimeout, "the metrics API of "+r.Name, func() (string, error) {
		if _, err := c.Kubectl(r, "", "wait", "--for=condition=Available", service, "--timeout=2s"); err == nil {
			return "", nil
		}
		reason, err := c.Kubectl(r, "", "get", service, "-o",
			`jsonpath={.status.conditions[?(@.type=="Available")].message}`)
		return "not available: " + reason, err
	})
}

// awaitGatewayClass waits until a controller takes Gateways of the class.
func awaitGatewayClass(c action.Context, r topology.Region) error {
	return c.Poll(readyTimeout, "the GatewayClass of "+r.Name, func() (string, error) {
		_, err := c.Kubectl(r, "", "wait", "--for=condition=Accepted", "gatewayclass/envoy", "--timeout=2s")
		return "", err
	})
}
