// Package addons installs what a region needs beyond its nodes: DNS, a default StorageClass and CloudNativePG.
package addons

import (
	"bytes"
	"embed"
	"fmt"
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

var templates = template.Must(template.ParseFS(manifests, "manifests/*"))

// workload is a Deployment that must be available before the next step.
type workload struct{ namespace, name string }

// Execute applies the addons to a region and waits until they are available. cnpgManifest is CloudNativePG's own
// release manifest.
func Execute(c action.Context, r topology.Region, cnpgManifest string) error {
	for _, name := range []string{"coredns.yaml", "local-path-provisioner.yaml"} {
		var manifest bytes.Buffer
		if err := templates.ExecuteTemplate(&manifest, name, r); err != nil {
			return fmt.Errorf("render %s: %w", name, err)
		}
		if err := apply(c, r, manifest.String()); err != nil {
			return fmt.Errorf("apply %s: %w", name, err)
		}
	}
	if err := apply(c, r, adapt(cnpgManifest)); err != nil {
		return fmt.Errorf("apply CloudNativePG: %w", err)
	}
	for _, w := range []workload{
		{"kube-system", "coredns"},
		{"local-path-storage", "local-path-provisioner"},
		{"cnpg-system", "cnpg-controller-manager"},
	} {
		if err := await(c, r, w); err != nil {
			return err
		}
	}
	return c.Poll(readyTimeout, "CloudNativePG's webhook in "+r.Name, func() (string, error) {
		_, err := c.Kubectl(r, probe, "create", "--dry-run=server", "-f", "-")
		return "", err
	})
}

// probe is an object that CloudNativePG's webhook must see before the API server accepts it.
const probe = `
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: probe, namespace: default}
spec: {instances: 1, storage: {size: 1Gi}}
`

// adapt gives the operator a whole core: with the released limit of a tenth of one it misses its own probes while two
// cores start everything at once. And it runs two of them, on different nodes: with one, the loss of a node that has it
// and a primary leaves nobody to promote a replica for five minutes.
func adapt(manifest string) string {
	const account = "      serviceAccountName: cnpg-manager\n"
	return strings.NewReplacer(
		"limits:\n            cpu: 100m", "limits:\n            cpu: \"1\"",
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
