//go:build e2e

package cloud

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// admission lets a host connect to the pods of a namespace, but not to those of the API: it comes through the edge.
const admission = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: test-host, namespace: NAMESPACE}
spec:
  podSelector:
    matchExpressions:
      - {key: app.kubernetes.io/name, operator: NotIn, values: [ai-agent-api, ai-agent-api-canary]}
  policyTypes: [Ingress]
  ingress: [{from: [{ipBlock: {cidr: DIRECT/32}}, {ipBlock: {cidr: TRANSLATED/32}}]}]
---
`

// HostAddress is that of the host on the instance's network, at which pods reach it.
func HostAddress() (string, error) {
	octet, err := instanceOctet()
	return fmt.Sprintf("10.%d.0.1", octet), err
}

func instanceOctet() (int, error) {
	content, err := os.ReadFile(filepath.Join(InstanceDir(), "instance.json"))
	if err != nil {
		return 0, fmt.Errorf("read instance: %w", err)
	}
	var instance struct{ Octet int }
	if err := json.Unmarshal(content, &instance); err != nil {
		return 0, fmt.Errorf("parse instance: %w", err)
	}
	return instance.Octet, nil
}

// AdmitHost lets the tests connect to pods from the host, which the policies of the stack refuse. Through a Service
// pods see the host at the address of the first region's control plane, whose kube-proxy translates.
func AdmitHost(t *testing.T) {
	t.Helper()
	octet, err := instanceOctet()
	if err != nil {
		t.Fatal(err)
	}
	var policies strings.Builder
	for _, namespace := range admitted {
		policies.WriteString(strings.NewReplacer(
			"NAMESPACE", namespace,
			"DIRECT", fmt.Sprintf("10.%d.0.1", octet), "TRANSLATED", fmt.Sprintf("10.%d.32.10", octet),
		).Replace(admission))
	}
	Apply(t, policies.String())
}

// RefuseHost takes back what AdmitHost allowed.
func RefuseHost(t *testing.T) {
	t.Helper()
	for _, namespace := range admitted {
		Command(t, "kubectl", "-n", namespace, "delete", "networkpolicy", "test-host")
	}
}

// admitted are the namespaces in which the tests connect to pods.
var admitted = []string{Namespace, "monitoring"}
