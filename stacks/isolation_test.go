package stacks

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

// end is one side of a connection: a pod by its namespace and labels, or an address that is no pod's.
type end struct {
	namespace string
	labels    map[string]string
	address   string
}

// ends are the pods that others make; those of the program are found by the names of their workloads. The labels are
// those that CloudNativePG, Envoy Gateway and Kubernetes give.
var ends = map[string]end{
	"instance":     {namespace: namespace, labels: databaseLabels("instance", "database")},
	"database-job": {namespace: namespace, labels: databaseLabels("", "database")},
	"pool":         {namespace: namespace, labels: databaseLabels("pooler", "pooler")},
	"cnpg":         {namespace: "cnpg-system", labels: kube.Selector("cloudnative-pg")},
	"envoy": {namespace: "envoy-gateway-system", labels: map[string]string{
		kube.LabelName: "envoy", kube.LabelComponent: "proxy", "gateway.envoyproxy.io/owning-gateway-name": "ai-agent",
	}},
	"dns": {namespace: "kube-system", labels: map[string]string{"k8s-app": "kube-dns"}},
	// Without policies, and with the label of the API.
	"elsewhere":  {namespace: "elsewhere", labels: kube.Selector(appName)},
	"kubernetes": {address: "10.200.32.10"},
	"machine":    {address: "10.200.32.11"},
	"internet":   {address: "8.8.8.8"},
}

func databaseLabels(role, component string) map[string]string {
	found := map[string]string{"cnpg.io/cluster": "ai-agent-db", kube.LabelComponent: component}
	if role != "" {
		found["cnpg.io/podRole"] = role
	}
	return found
}

// flows are the connections that somebody needs: who connects to whom at which port, over TCP. Nobody else may connect
// to these ports, unless neither side has a policy.
const flows = `
ai-agent-api        pool 5432, ai-agent-redis 6379, mockllm 8080, dns 53
ai-agent-api-canary pool 5432, ai-agent-redis 6379, mockllm 8080, dns 53
ai-agent-api-judge  prometheus 9090, kubernetes 6443, dns 53
ai-agent-api-migrate instance 5432, dns 53
ai-agent-backup     instance 5432, pool 5432, object-store 7070, dns 53
ai-agent-db-guard   instance 5432, kubernetes 6443, dns 53
instance            instance 5432, instance 8000, object-store 7070, kubernetes 6443, dns 53
database-job        instance 5432, instance 8000, object-store 7070, kubernetes 6443, dns 53
pool                instance 5432, kubernetes 6443, dns 53
cnpg                instance 5432, instance 8000, kubernetes 6443, dns 53
ai-agent-redis      ai-agent-redis 6379, ai-agent-redis 16379, dns 53
ai-agent-redis-reshard ai-agent-redis 6379, dns 53
envoy               ai-agent-api 8000, ai-agent-api-canary 8000, dns 53
prometheus          ai-agent-api 8000, ai-agent-api-canary 8000, instance 9187, pool 9127, ai-agent-redis 9121
prometheus          prometheus 9090, alertmanager 9093, loki 3100, kube-state-metrics 8080, node-exporter 9100
prometheus          envoy 19001, opentelemetry-collector 8888, machine 10250, kubernetes 6443, dns 53
prometheus-adapter  prometheus 9090, kubernetes 6443, dns 53
alertmanager        dns 53
kube-state-metrics  kubernetes 6443, dns 53
opentelemetry-collector loki 3100, dns 53
`

// TestWhatMayConnect holds every connection that is needed, and every other one between the same ends, against the
// NetworkPolicies of the local stack. What enforces them has tests of its own.
func TestWhatMayConnect(t *testing.T) {
	config := edit(t, stackConfig(t, EnvironmentLocal), "api.canary", map[string]any{"enabled": true})
	recording := pulumitest.Up(t, Deploy, config)
	policies, all := policiesOf(t, recording), endsOf(recording)
	needed, ports := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(flows)) {
		from, targets, _ := strings.Cut(line, " ")
		for _, target := range strings.Split(targets, ",") {
			target = strings.TrimSpace(target)
			needed[from+" "+target], ports[target] = true, true
		}
	}
	for from, source := range all {
		for target := range ports {
			to, digits, _ := strings.Cut(target, " ")
			destination, known := all[to]
			if !known {
				t.Fatalf("no pod is called %s", to)
			}
			var port int32
			if err := json.Unmarshal([]byte(digits), &port); err != nil {
				t.Fatal(err)
			}
			got := policies.allow(source, destination, port)
			if want := needed[from+" "+target]; got != want && (want || !policies.free(source, destination)) {
				t.Errorf("%s to %s: allowed %v, needed %v", from, target, got, want)
			}
		}
	}
	// The API server is no pod, and anyone may try the adapter, which asks it about everyone.
	if !policies.allow(all["kubernetes"], all["prometheus-adapter"], 6443) {
		t.Error("the API server does not reach the adapter")
	}
	for flow := range needed {
		if from, _, _ := strings.Cut(flow, " "); all[from].namespace+all[from].address == "" {
			t.Errorf("no pod is called %s", from)
		}
	}
}

// endsOf adds the pods of all workloads.
func endsOf(recording *pulumitest.Recording) map[string]end {
	all := map[string]end{}
	for name, known := range ends {
		all[name] = known
	}
	for _, resource := range recording.Resources {
		for _, template := range [][]any{{"spec", "template"}, {"spec", "jobTemplate", "spec", "template"}} {
			found, ok := resource.At(append(template, "metadata", "labels")...).(map[string]any)
			if !ok {
				continue
			}
			pod := end{labels: map[string]string{}}
			pod.namespace, _ = resource.At("metadata", "namespace").(string)
			for key, value := range found {
				pod.labels[key], _ = value.(string)
			}
			all[pod.labels[kube.LabelName]] = pod
		}
	}
	return all
}

type policySet []networkingv1.NetworkPolicy

func policiesOf(t *testing.T, recording *pulumitest.Recording) policySet {
	t.Helper()
	var policies policySet
	for _, resource := range recording.OfType("kubernetes:networking.k8s.io/v1:NetworkPolicy") {
		encoded, err := json.Marshal(resource.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		var policy networkingv1.NetworkPolicy
		if err := json.Unmarshal(encoded, &policy); err != nil {
			t.Fatal(err)
		}
		policies = append(policies, policy)
	}
	return policies
}

// of returns the policies of a pod. All of this program restrict both directions.
func (s policySet) of(pod end) policySet {
	var own policySet
	for _, policy := range s {
		if pod.address == "" && policy.Namespace == pod.namespace && selects(&policy.Spec.PodSelector, pod.labels) {
			own = append(own, policy)
		}
	}
	return own
}

// free tells whether no policy concerns either side.
func (s policySet) free(from, to end) bool { return len(s.of(from))+len(s.of(to)) == 0 }

func (s policySet) allow(from, to end, port int32) bool {
	out, in := s.of(from), s.of(to)
	allowedOut, allowedIn := len(out) == 0, len(in) == 0
	for _, policy := range out {
		for _, rule := range policy.Spec.Egress {
			allowedOut = allowedOut || has(rule.Ports, port) && knows(policy.Namespace, rule.To, to)
		}
	}
	for _, policy := range in {
		for _, rule := range policy.Spec.Ingress {
			allowedIn = allowedIn || has(rule.Ports, port) && knows(policy.Namespace, rule.From, from)
		}
	}
	return allowedOut && allowedIn
}

func has(ports []networkingv1.NetworkPolicyPort, want int32) bool {
	for _, port := range ports {
		if *port.Protocol == corev1.ProtocolTCP && port.Port.IntVal == want {
			return true
		}
	}
	return len(ports) == 0
}

// knows tells whether a side of a connection is among the peers. Pods have some address, too.
func knows(policyNamespace string, peers []networkingv1.NetworkPolicyPeer, side end) bool {
	for _, peer := range peers {
		if peer.IPBlock != nil {
			address := side.address
			if address == "" {
				address = "10.200.48.99"
			}
			if inside(peer.IPBlock, netip.MustParseAddr(address)) {
				return true
			}
			continue
		}
		home := side.namespace == policyNamespace
		if peer.NamespaceSelector != nil {
			home = selects(peer.NamespaceSelector, map[string]string{corev1.LabelMetadataName: side.namespace})
		}
		if side.address == "" && home && (peer.PodSelector == nil || selects(peer.PodSelector, side.labels)) {
			return true
		}
	}
	return len(peers) == 0
}

func inside(block *networkingv1.IPBlock, address netip.Addr) bool {
	for _, except := range block.Except {
		if netip.MustParsePrefix(except).Contains(address) {
			return false
		}
	}
	return netip.MustParsePrefix(block.CIDR).Contains(address)
}

func selects(selector *metav1.LabelSelector, found map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(found))
}
