package main

var (
	budget = kube(`
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: api, namespace: ai-agent}
spec: {minAvailable: 2, selector: {matchLabels: {app.kubernetes.io/name: api}}}
`)
	scaler = kube(`
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: api, namespace: ai-agent}
spec: {minReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: api}}
`)
	redis = kube(`
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: redis, namespace: ai-agent, labels: {topology.kubernetes.io/region: eu-west-1}}
spec:
  replicas: 2
  template:
    metadata: {labels: {app.kubernetes.io/name: redis}}
    spec: {containers: [{name: redis, image: "docker.io/library/redis:8.0.2"}]}
  volumeClaimTemplates: [{metadata: {name: data}}]
`)
	autoscaled = good.with("spec.replicas", remove)
	unspread   = podSpec + "affinity"
)

// shard is a budget for one pod of redis.
func shard(index string) object {
	o := budget.with("metadata.name", "redis-"+index, "spec.minAvailable", remove, "spec.maxUnavailable", 1.0,
		"spec.selector.matchLabels", map[string]any{"apps.kubernetes.io/pod-index": index})
	o.name = "redis-" + index
	return o
}

var availabilityExamples = []example{
	{rule: "disruption-budget", name: "selected", objects: []object{good, budget}},
	{rule: "disruption-budget", name: "one replica", objects: []object{good.with("spec.replicas", 1.0)}},
	{rule: "disruption-budget", name: "one budget for each pod", objects: []object{redis, shard("0"), shard("1")}},
	{rule: "disruption-budget", name: "none", objects: []object{good}, wants: []string{"pod 1 of 3 is selected by no"}},
	{rule: "disruption-budget", name: "replicas of an autoscaler", objects: []object{autoscaled, scaler},
		wants: []string{"selected by no"}},
	{rule: "disruption-budget", name: "autoscaler that starts with one",
		objects: []object{autoscaled, scaler.with("spec.minReplicas", remove)}, wants: []string{"selected by no"}},
	{rule: "disruption-budget", name: "a pod left out", objects: []object{redis, shard("0")},
		wants: []string{"pod 2 of 2 is selected by no"}},
	{rule: "disruption-budget", name: "two for one pod", objects: []object{redis, shard("0"), shard("1"),
		kube(`
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: all, namespace: ai-agent}
spec: {maxUnavailable: 1, selector: {}}`)}, wants: []string{"selected by 2 PodDisruptionBudgets"}},
	{rule: "disruption-budget", name: "of another namespace",
		objects: []object{good, budget.with("metadata.namespace", "b")}, wants: []string{"selected by no"}},
	{rule: "disruption-budget", name: "of another cluster", objects: []object{good, budget.abroad()},
		wants: []string{"selected by no"}},

	{rule: "disruption-budget-allows-eviction", name: "two of three", objects: []object{good, budget}},
	{rule: "disruption-budget-allows-eviction", name: "pods that an operator makes", objects: []object{budget}},
	{rule: "disruption-budget-allows-eviction", name: "three of three", objects: []object{good,
		budget.with("spec.minAvailable", 3.0)}, wants: []string{"minAvailable: asks for 3 pods of 3"}},
	{rule: "disruption-budget-allows-eviction", name: "percentage is rounded up", objects: []object{
		autoscaled, scaler.with("spec.minReplicas", 2.0), budget.with("spec.minAvailable", "75%")},
		wants: []string{"asks for 2 pods of 2"}},
	{rule: "disruption-budget-allows-eviction", name: "all of them",
		objects: []object{budget.with("spec.minAvailable", "100%")}, wants: []string{"minAvailable: forbids every"}},
	{rule: "disruption-budget-allows-eviction", name: "none may be missing",
		objects: []object{shard("0").with("spec.maxUnavailable", 0.0)},
		wants:   []string{"maxUnavailable: forbids every"}},

	{rule: "spread", name: "anti-affinity", objects: []object{good}},
	{rule: "spread", name: "topology", objects: []object{good.with(unspread, remove,
		podSpec+"topologySpreadConstraints", []any{map[string]any{"maxSkew": 1.0}})}},
	{rule: "spread", name: "one replica", objects: []object{good.with(unspread, remove, "spec.replicas", 1.0)}},
	{rule: "spread", name: "none", objects: []object{good.with(unspread, remove)},
		wants: []string{"topologySpreadConstraints: is missing"}},
}

var (
	networkPolicy = kube(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api, namespace: ai-agent}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: api}}
  policyTypes: [Ingress, Egress]
  egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}]}]
`)
	denyAll = kube(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default, namespace: ai-agent}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
`)
	namespace = kube(`
apiVersion: v1
kind: Namespace
metadata: {name: ai-agent, labels: {pod-security.kubernetes.io/enforce: restricted}}
`)
	postgresPolicy = networkPolicy.with("spec.podSelector.matchLabels", map[string]any{"cnpg.io/cluster": "db"})
)

var networkExamples = []example{
	{rule: "network-policy", name: "selected", objects: []object{good, networkPolicy}},
	{rule: "network-policy", name: "PostgreSQL", objects: []object{postgres, postgresPolicy}},
	{rule: "network-policy", name: "none", objects: []object{good}, wants: []string{"no NetworkPolicy selects"}},
	{rule: "network-policy", name: "only that of the namespace", objects: []object{good, denyAll},
		wants: []string{"no NetworkPolicy selects"}},
	{rule: "network-policy", name: "one direction", objects: []object{good,
		networkPolicy.with("spec.policyTypes", []any{"Ingress"})}, wants: []string{"Ingress and Egress"}},
	{rule: "network-policy", name: "another cluster", objects: []object{good, networkPolicy.abroad()},
		wants: []string{"no NetworkPolicy selects"}},
	{rule: "network-policy", name: "PostgreSQL without", objects: []object{postgres, networkPolicy},
		wants: []string{"cnpg.io/cluster:db"}},
	{rule: "network-policy", name: "a pool without", objects: []object{pooler, postgresPolicy.with(
		"spec.podSelector.matchLabels", map[string]any{"cnpg.io/cluster": "db", "cnpg.io/podRole": "instance"})},
		wants: []string{"cnpg.io/poolerName:pool"}},

	{rule: "namespace-default-deny", name: "denied", objects: []object{namespace, denyAll}},
	{rule: "namespace-default-deny", name: "none", objects: []object{namespace, networkPolicy},
		wants: []string{"metadata.name: has no NetworkPolicy"}},
	{rule: "namespace-default-deny", name: "open to all",
		objects: []object{namespace, denyAll.with("spec.ingress", []any{map[string]any{}})},
		wants:   []string{"no rule for everyone"}},

	{rule: "namespace-pod-security", name: "restricted", objects: []object{namespace}},
	{rule: "namespace-pod-security", name: "baseline", objects: []object{namespace.with(
		`metadata.labels["pod-security.kubernetes.io/enforce"]`, "baseline")}, wants: []string{"must be restricted"}},

	{rule: "network-no-metadata", name: "left out", objects: []object{networkPolicy}},
	{rule: "network-no-metadata", name: "another range", objects: []object{networkPolicy.with(
		"spec.egress[0].to[0].ipBlock", map[string]any{"cidr": "10.0.0.0/8"})}},
	{rule: "network-no-metadata", name: "inside", objects: []object{networkPolicy.with(
		"spec.egress[0].to[0].ipBlock.except", remove)}, wants: []string{"egress[0].to[0].ipBlock: opens 0.0.0.0/0"}},
	{rule: "network-no-metadata", name: "anywhere", objects: []object{networkPolicy.with(
		"spec.egress[0]", map[string]any{"ports": []any{map[string]any{"port": 443.0}}})},
		wants: []string{"egress[0].to: is missing"}},
}
