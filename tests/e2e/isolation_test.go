//go:build e2e

package e2e

import (
	"net"
	"strings"
	"testing"
	"time"

	"agentstack/tests/cloud"
)

const (
	// ruleTimeout is how long the rules of all nodes may take to know new pods.
	ruleTimeout = 90 * time.Second
	// elsewhere is a namespace without policies.
	elsewhere = "isolation-elsewhere"
	// probed marks the pods of this test, and ours chooses all others.
	probed, ours = "test=isolation", "test!=isolation"
)

// probe is a pod with the label of a workload, for those whose own images have no tools. It listens, too. It is never
// ready, so that the Services that choose pods by this label send it nothing, and says what it requests, since the
// autoscaler measures all pods of the API.
const probe = `
apiVersion: v1
kind: Pod
metadata: {name: isolation-LABEL, namespace: NAMESPACE, labels: {app.kubernetes.io/name: LABEL, test: isolation}}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 1
  securityContext: {runAsNonRoot: true, runAsUser: 999, runAsGroup: 999, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: probe
      image: IMAGE
      command: [redis-server, --port, "8000", --save, "", --protected-mode, "no"]
      readinessProbe: {exec: {command: ["false"]}, periodSeconds: 60}
      resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {memory: 128Mi}}
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
---
`

// sources are who connects, and what they must reach: all else must be dropped. Connections of a pod to itself pass no
// policy; they show that something listens.
var sources = []struct {
	name, namespace, selector, container string
	reaches                              string
}{
	{"API", cloud.Namespace, "app.kubernetes.io/name=ai-agent-api," + probed, "probe",
		"pool:5432 Redis:6379 model:8080 DNS:53"},
	{"PostgreSQL", cloud.Namespace, "cnpg.io/cluster=ai-agent-db,cnpg.io/instanceRole=primary", "postgres",
		"PostgreSQL:5432 PostgreSQL:8000 object-store:7070 DNS:53 Kubernetes:443"},
	{"pool", cloud.Namespace, "cnpg.io/poolerName=ai-agent-db-pooler-ro", "pgbouncer",
		"PostgreSQL:5432 DNS:53 Kubernetes:443"},
	{"Redis", cloud.Namespace, "statefulset.kubernetes.io/pod-name=ai-agent-redis-follower-1", "redis",
		"Redis:6379 Redis:16379 DNS:53"},
	{"Prometheus", monitoring, "app.kubernetes.io/name=prometheus," + probed, "probe",
		"API:8000 PostgreSQL:9187 pool:9127 Redis:9121 Prometheus:9090 Loki:3100 Alertmanager:9093 Envoy:19001 " +
			"DNS:53 Kubernetes:443 kubelet:10250"},
	{"backup", cloud.Namespace, "app.kubernetes.io/name=ai-agent-backup," + probed, "probe",
		"PostgreSQL:5432 pool:5432 object-store:7070 DNS:53 backup:8000"},
	{"stranger", cloud.Namespace, "app.kubernetes.io/name=stranger," + probed, "probe", ""},
	// It has the label of the API, but not its namespace.
	{"elsewhere", elsewhere, probed, "probe", "Envoy:19001 DNS:53 Kubernetes:443 kubelet:10250 elsewhere:8000 host:0"},
	{"host", "", "", "", "Envoy:19001 DNS:53 Kubernetes:443 kubelet:10250 elsewhere:8000 host:0"},
}

// targets are the pods that are connected to, at the ports that somebody of sources reaches. They are others than those
// that connect, but for the probes.
var targets = map[string]struct{ namespace, selector string }{
	"API":          {cloud.Namespace, "app.kubernetes.io/name=ai-agent-api," + ours},
	"PostgreSQL":   {cloud.Namespace, "cnpg.io/cluster=ai-agent-db,cnpg.io/instanceRole=replica"},
	"pool":         {cloud.Namespace, "cnpg.io/poolerName=ai-agent-db-pooler-rw"},
	"Redis":        {cloud.Namespace, "statefulset.kubernetes.io/pod-name=ai-agent-redis-leader-0"},
	"model":        {cloud.Namespace, "app.kubernetes.io/name=mockllm"},
	"object-store": {cloud.Namespace, "app.kubernetes.io/name=object-store"},
	"backup":       {cloud.Namespace, "app.kubernetes.io/name=ai-agent-backup," + probed},
	"Prometheus":   {monitoring, "app.kubernetes.io/name=prometheus," + ours},
	"Loki":         {monitoring, "app.kubernetes.io/name=loki"},
	"Envoy":        {cloud.EdgeNamespace, envoys},
	"Alertmanager": {monitoring, "app.kubernetes.io/name=alertmanager"},
	"DNS":          {"kube-system", "k8s-app=kube-dns"},
	"elsewhere":    {elsewhere, probed},
}

// isolated tries every connection between the pods of the stack, and those of a stranger, of a pod in another namespace
// and of the host to them. What must not be made has to be dropped: a refusal would mean that nothing listens, and that
// something does, somebody who is let in shows for each target.
func isolated(t *testing.T) {
	fewRights(t)
	makeProbes(t)
	cloud.RefuseHost(t)
	t.Cleanup(func() { cloud.AdmitHost(t) })
	addresses := targetAddresses(t)
	var verdicts map[string]map[string]string
	took, err := cloud.Within(ruleTimeout, "every connection is made or dropped as it must be", func() error {
		var err error
		if verdicts, err = tryAll(addresses); err != nil {
			return err
		}
		return compareVerdicts(verdicts)
	})
	t.Logf("who reaches what, after %s:\n%s", took.Round(time.Second), verdictTable(verdicts))
	if err != nil {
		t.Error(err)
	}
}

// makeProbes starts the pods of this test and waits until they run.
func makeProbes(t *testing.T) {
	t.Helper()
	image := cloud.Kubectl(t, "get", "pod", "ai-agent-redis-leader-0", "-o",
		`jsonpath={.spec.containers[?(@.name=="redis")].image}`)
	manifest := "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + elsewhere + "}\n---\n"
	namespaces := map[string]bool{}
	for _, pod := range []struct{ namespace, label string }{
		{cloud.Namespace, "ai-agent-api"}, {cloud.Namespace, "ai-agent-backup"}, {cloud.Namespace, "stranger"},
		{monitoring, "prometheus"}, {elsewhere, "ai-agent-api"},
	} {
		namespaces[pod.namespace] = true
		manifest += strings.NewReplacer("NAMESPACE", pod.namespace, "LABEL", pod.label, "IMAGE", image).Replace(probe)
	}
	t.Cleanup(func() {
		for namespace := range namespaces {
			cloud.Command(t, "kubectl", "-n", namespace, "delete", "pods", "-l", probed)
		}
		cloud.Command(t, "kubectl", "delete", "namespace", elsewhere, "--wait=false")
	})
	// A new namespace has no ServiceAccount yet.
	cloud.Eventually(t, cloud.HealTimeout, "the probes are made", func() error { return cloud.TryApply(manifest) })
	for namespace := range namespaces {
		cloud.Command(t, "kubectl", "-n", namespace, "wait", "pods", "-l", probed,
			"--for=jsonpath={.status.phase}=Running", "--timeout=4m")
	}
}

// targetAddresses returns host:port of each name:port among the sources.
func targetAddresses(t *testing.T) map[string]string {
	t.Helper()
	hosts := map[string]string{}
	for name, pod := range targets {
		host := cloud.Command(t, "kubectl", "-n", pod.namespace, "get", "pods", "-l", pod.selector,
			"--field-selector=status.phase=Running", "-o", "jsonpath={.items[0].status.podIP}")
		hosts[name] = strings.TrimSpace(host)
	}
	var err error
	if hosts["Kubernetes"], err = cloud.ServiceAddress("default", "kubernetes"); err != nil {
		t.Fatal(err)
	}
	hosts["kubelet"] = cloud.Command(t, "kubectl", "get", "nodes", "-o",
		`jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	if hosts["host"], err = cloud.HostAddress(); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", hosts["host"]+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	addresses := map[string]string{}
	for _, source := range sources {
		for _, target := range strings.Fields(source.reaches) {
			name, port, _ := strings.Cut(target, ":")
			if name == "host" {
				_, port, _ = net.SplitHostPort(listener.Addr().String())
			}
			addresses[target] = net.JoinHostPort(hosts[name], port)
		}
	}
	return addresses
}

// fewRights looks at what the running pods and roles may do. The policies rbac-no-wildcards and pod-token say the same
// of each preview.
func fewRights(t *testing.T) {
	pods := cloud.Kubectl(t, "get", "pods", "-l", "app.kubernetes.io/name=ai-agent-api", "-o",
		`jsonpath={range .items[*]}{.spec.automountServiceAccountToken} `+
			`{.spec.volumes[*].projected.sources[*].serviceAccountToken.path}{"\n"}{end}`)
	if pods == "" {
		t.Error("no pods of the API")
	}
	for line := range strings.Lines(pods) {
		if strings.TrimSpace(line) != "false" {
			t.Errorf("a pod of the API has a token: %s", line)
		}
	}
	roles := cloud.Command(t, "kubectl", "get", "roles,clusterroles", "-A", "-l", "app.kubernetes.io/managed-by=pulumi",
		"-o", `jsonpath={range .items[*]}{.kind} {.metadata.name} {.rules}{"\n"}{end}`)
	const least = 3 // the guard's, Prometheus' and kube-state-metrics'
	if found := strings.Count(roles, "\n"); found < least {
		t.Errorf("only %d roles:\n%s", found, roles)
	}
	for line := range strings.Lines(roles) {
		if strings.Contains(line, "*") {
			t.Errorf("a role has a wildcard: %s", line)
		}
	}
}
