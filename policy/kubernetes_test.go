package main

import "github.com/pulumi/pulumi/sdk/v3/go/common/resource"

var (
	configMap = kube(`
apiVersion: v1
kind: ConfigMap
metadata: {name: api, namespace: ai-agent}
data: {OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318", DATABASE_URL: "postgres://$(USER):$(PASSWORD)@db/app"}
`)
	secret = kube(`
apiVersion: v1
kind: Secret
metadata: {name: api, namespace: ai-agent}
data: {empty: ""}
`).with("data.key", resource.MakeSecret(resource.NewStringProperty("aHVudGVyMg==")))
)

func env(name, value string) object {
	return good.with(container+"env[0]", map[string]any{"name": name, "value": value})
}

var secretExamples = []example{
	{rule: "secret-env", name: "from a Secret", objects: []object{good}},
	{rule: "secret-env", name: "limit of tokens", objects: []object{env("MAX_TOKENS", "100")}},
	{rule: "secret-env", name: "path", objects: []object{env("TOKEN_FILE", "/run/token")}},
	{rule: "secret-env", name: "password", objects: []object{env("REDIS_PASSWORD", "hunter2")},
		wants: []string{"env[0].value: REDIS_PASSWORD is written out"}},
	{rule: "secret-env", name: "AWS key", objects: []object{env("AWS_ACCESS_KEY_ID", "x")},
		wants: []string{"written out"}},
	{rule: "secret-env", name: "from a ConfigMap", objects: []object{good.with(container+"env[1].valueFrom",
		map[string]any{"configMapKeyRef": map[string]any{"name": "api"}})},
		wants: []string{"API_KEY comes from a ConfigMap"}},

	{rule: "secret-in-plain-text", name: "none", objects: []object{configMap, good}},
	{rule: "secret-in-plain-text", name: "private key", objects: []object{configMap.with("data.key",
		"-----BEGIN EC PRIVATE KEY-----\nMHc")}, wants: []string{"data.key: holds a private key"}},
	{rule: "secret-in-plain-text", name: "AWS key", objects: []object{env("ID", "AKIAIOSFODNN7EXAMPLE")},
		wants: []string{"env[0].value: holds an AWS access key"}},
	{rule: "secret-in-plain-text", name: "bearer token", objects: []object{good.with(container+"args[0]",
		"--header=Authorization: Bearer abcdefghijklmnop0123")}, wants: []string{"args[0]: holds a bearer token"}},
	{rule: "secret-in-plain-text", name: "API key", objects: []object{configMap.with("data.k",
		"sk-abcdefghijklmnopqrstuvwxyz")}, wants: []string{"an API key"}},
	{rule: "secret-in-plain-text", name: "URL", objects: []object{configMap.with("data.DATABASE_URL",
		"postgres://app:hunter2@db/app")}, wants: []string{"data.DATABASE_URL: holds a URL with a password"}},

	{rule: "secret-marked", name: "each value", objects: []object{secret}},
	{rule: "secret-marked", name: "all at once", objects: []object{secret.with("data",
		resource.MakeSecret(resource.NewObjectProperty(properties("{key: x}"))))}},
	{rule: "secret-marked", name: "plain",
		objects: []object{secret.with("stringData", map[string]any{"key": "hunter2"})},
		wants:   []string{"stringData.key: is no secret of Pulumi"}},
}

var (
	ingress = kube(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: api, namespace: ai-agent}
spec:
  tls: [{hosts: [api.example.com], secretName: api-tls}]
  rules: [{host: api.example.com, http: {paths: [{path: /v1, pathType: Prefix}, {path: /health, pathType: Exact}]}}]
`)
	balanced = ingress.with("spec.tls", remove, "metadata.annotations", map[string]any{
		"alb.ingress.kubernetes.io/certificate-arn": "arn:aws:acm:eu-west-1:1:certificate/1",
		"alb.ingress.kubernetes.io/ssl-redirect":    "443",
	})
	gateway = kube(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: ai-agent}
spec:
  listeners:
  - {name: http, protocol: HTTP, port: 80}
  - {name: https, protocol: HTTPS, port: 443, tls: {certificateRefs: [{name: api-tls}]}}
`)
	redirect = kube(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: redirect, namespace: ai-agent}
spec:
  parentRefs: [{name: edge, sectionName: http}]
  rules: [{filters: [{type: RequestRedirect}]}]
`)
	route = kube(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: api, namespace: ai-agent}
spec:
  parentRefs: [{name: edge, sectionName: https}]
  rules: [{matches: [{path: {type: PathPrefix, value: /v1}}]}]
`)
	anyPath = route.with("spec.rules[0].matches[0].path.value", "/",
		"spec.rules[0].backendRefs", []any{map[string]any{"name": "api"}})
	refused = kube(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: refused, namespace: ai-agent}
spec:
  parentRefs: [{name: edge, sectionName: https}]
  rules:
  - matches:
    - {path: {type: PathPrefix, value: /metrics}}
    - {path: {type: PathPrefix, value: /livez}}
    - {path: {type: PathPrefix, value: /ready}}
    filters: [{type: ExtensionRef}]
`)
	service = kube(`
apiVersion: v1
kind: Service
metadata: {name: api, namespace: ai-agent}
spec: {ports: [{port: 80}]}
`)
)

const ingressPath = "spec.rules[0].http.paths[0].path"

var routeExamples = []example{
	{rule: "ingress-tls", name: "Secret", objects: []object{ingress}},
	{rule: "ingress-tls", name: "certificate of ACM", objects: []object{balanced}},
	{rule: "ingress-tls", name: "none", objects: []object{ingress.with("spec.tls", remove)},
		wants: []string{"spec.tls: is missing"}},
	{rule: "ingress-tls", name: "no redirect", objects: []object{balanced.with(
		`metadata.annotations["alb.ingress.kubernetes.io/ssl-redirect"]`, remove)}, wants: []string{"ssl-redirect"}},

	{rule: "gateway-tls", name: "HTTP redirects", objects: []object{gateway, redirect, route}},
	{rule: "gateway-tls", name: "route on every listener", objects: []object{gateway,
		route.with("spec.parentRefs[0].sectionName", remove)}, wants: []string{"answers plain HTTP on listener http"}},
	{rule: "gateway-tls", name: "no certificate", objects: []object{gateway.with("spec.listeners[1].tls", remove)},
		wants: []string{"listeners[1].tls.certificateRefs"}},
	{rule: "gateway-tls", name: "TCP", objects: []object{gateway.with("spec.listeners[1].protocol", "TCP")},
		wants: []string{"listeners[1].protocol: must be HTTPS"}},

	{rule: "route-no-internal-paths", name: "paths of the API", objects: []object{ingress, route, redirect}},
	{rule: "route-no-internal-paths", name: "root alone",
		objects: []object{ingress.with(ingressPath, "/", "spec.rules[0].http.paths[0].pathType", "Exact")}},
	{rule: "route-no-internal-paths", name: "everything", objects: []object{ingress.with(ingressPath, "/")},
		wants: []string{`"/" routes /metrics`}},
	{rule: "route-no-internal-paths", name: "default backend", objects: []object{ingress.with("spec.defaultBackend",
		map[string]any{"service": map[string]any{"name": "api"}})}, wants: []string{"routes every path"}},
	{rule: "route-no-internal-paths", name: "probe", objects: []object{route.with(
		"spec.rules[0].matches[0].path", map[string]any{"type": "Exact", "value": "/ready"})},
		wants: []string{`"/ready" routes /ready`}},
	{rule: "route-no-internal-paths", name: "no match", objects: []object{route.with("spec.rules[0].matches", remove)},
		wants: []string{"matches: is missing"}},
	{rule: "route-no-internal-paths", name: "everything but what another route answers",
		objects: []object{anyPath, refused}},
	{rule: "route-no-internal-paths", name: "everything with nothing refused", objects: []object{anyPath},
		wants: []string{`"/" routes /metrics`}},
	{rule: "route-no-internal-paths", name: "one path not refused", objects: []object{anyPath,
		refused.with("spec.rules[0].matches[2].path.value", "/readyz")}, wants: []string{`"/" routes /ready`}},
	{rule: "route-no-internal-paths", name: "refused on another listener", objects: []object{anyPath,
		refused.with("spec.parentRefs[0].sectionName", "http")}, wants: []string{`"/" routes /metrics`}},
	{rule: "route-no-internal-paths", name: "refused for another host", objects: []object{anyPath,
		refused.with("spec.hostnames", []any{"other.example.com"})}, wants: []string{`"/" routes /metrics`}},
	{rule: "route-no-internal-paths", name: "refused with a header alone", objects: []object{anyPath,
		refused.with("spec.rules[0].matches[0].headers", []any{map[string]any{"name": "X"}})},
		wants: []string{`"/" routes /metrics`}},
	{rule: "route-no-internal-paths", name: "not refused but routed", objects: []object{anyPath,
		refused.with("spec.rules[0].backendRefs", []any{map[string]any{"name": "api"}})},
		wants: []string{`"/" routes /metrics`, `"/metrics" routes`, `"/livez" routes`, `"/ready" routes`}},

	{rule: "service-internal", name: "ClusterIP", objects: []object{service}},
	{rule: "service-internal", name: "LoadBalancer", objects: []object{service.with("spec.type", "LoadBalancer")},
		wants: []string{"spec.type: is LoadBalancer"}},
	{rule: "service-internal", name: "external address", objects: []object{service.with("spec.externalIPs",
		[]any{"192.0.2.1"})}, wants: []string{"spec.externalIPs"}},
}

var clusterRole = kube(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: state}
rules: [{apiGroups: [""], resources: [pods, secrets], verbs: [create]}]
`)

func verbs(names ...any) object { return clusterRole.with("rules[0].verbs", names) }

var rbacExamples = []example{
	{rule: "rbac-no-wildcards", name: "listed", objects: []object{clusterRole}},
	{rule: "rbac-no-wildcards", name: "everything", objects: []object{verbs("*").with("rules[0].resources[0]", "*",
		"rules[0].apiGroups[0]", "*")},
		wants: []string{"rules[0].verbs[0]", "rules[0].resources[0]", "rules[0].apiGroups[0]"}},
	{rule: "rbac-no-cluster-admin", name: "own role", objects: []object{roleBinding}},
	{rule: "rbac-no-cluster-admin", name: "bound", objects: []object{roleBinding.with("roleRef.name", "cluster-admin")},
		wants: []string{"roleRef.name"}},
	{rule: "rbac-no-cluster-admin", name: "group",
		objects: []object{roleBinding.with("subjects[0].name", "system:masters")},
		wants:   []string{"subjects[0].name"}},
	{rule: "rbac-no-secrets", name: "create only", objects: []object{clusterRole}},
	{rule: "rbac-no-secrets", name: "list", objects: []object{verbs("list")}, wants: []string{"rules[0].resources[1]"}},
	{rule: "rbac-no-escalation", name: "none", objects: []object{clusterRole}},
	{rule: "rbac-no-escalation", name: "all three", objects: []object{verbs("escalate", "bind", "impersonate")},
		wants: []string{`"escalate"`, `"bind"`, `"impersonate"`}},
}

var (
	postgres = kube(`
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: db, namespace: ai-agent, labels: {topology.kubernetes.io/region: eu-west-1}}
spec:
  instances: 3
  imageName: ghcr.io/cloudnative-pg/postgresql:17.7-system-trixie
  enableSuperuserAccess: false
  postgresql: {synchronous: {method: any, number: 1}, pg_hba: [hostnossl all all all reject]}
  storage: {size: 10Gi, storageClass: ssd}
  backup: {retentionPolicy: 30d, barmanObjectStore: {destinationPath: "s3://backups/db"}}
`)
	schedule = kube(`
apiVersion: postgresql.cnpg.io/v1
kind: ScheduledBackup
metadata: {name: db, namespace: ai-agent}
spec: {schedule: "0 0 3 * * *", cluster: {name: db}}
`)
	pooler = kube(`
apiVersion: postgresql.cnpg.io/v1
kind: Pooler
metadata: {name: pool, namespace: ai-agent, labels: {topology.kubernetes.io/region: eu-west-1}}
spec: {cluster: {name: db}, instances: 2, pgbouncer: {poolMode: transaction, parameters: {client_tls_sslmode: require}}}
`)
	withPlugin = postgres.with("spec.backup", remove, "spec.plugins",
		[]any{map[string]any{"name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": true}})
)

var databaseExamples = []example{
	{rule: "postgres-instances", name: "three", objects: []object{postgres}},
	{rule: "postgres-instances", name: "one, local", environment: "local",
		objects: []object{postgres.with("spec.instances", 1.0)}},
	{rule: "postgres-instances", name: "two", objects: []object{postgres.with("spec.instances", 2.0)},
		wants: []string{"spec.instances: must be at least 3"}},
	{rule: "postgres-synchronous", name: "one", objects: []object{postgres}},
	{rule: "postgres-synchronous", name: "asynchronous",
		objects: []object{postgres.with("spec.postgresql.synchronous", remove)},
		wants:   []string{"spec.postgresql.synchronous.number"}},
	{rule: "postgres-no-superuser", name: "off", objects: []object{postgres}},
	{rule: "postgres-no-superuser", name: "on", environment: "local",
		objects: []object{postgres.with("spec.enableSuperuserAccess", true)},
		wants:   []string{"spec.enableSuperuserAccess"}},
	{rule: "postgres-tls", name: "both", objects: []object{postgres, pooler}},
	{rule: "postgres-tls", name: "plain connections to the server", environment: "local",
		objects: []object{postgres.with("spec.postgresql.pg_hba", []any{"hostssl all all all scram-sha-256"})},
		wants:   []string{"spec.postgresql.pg_hba: has no line"}},
	{rule: "postgres-tls", name: "plain connections to the pool",
		objects: []object{pooler.with("spec.pgbouncer.parameters.client_tls_sslmode", "prefer")},
		wants:   []string{"client_tls_sslmode: must be require"}},
	{rule: "postgres-backup", name: "30 days", objects: []object{postgres}},
	{rule: "postgres-backup", name: "five weeks",
		objects: []object{postgres.with("spec.backup.retentionPolicy", "5w")}},
	{rule: "postgres-backup", name: "plugin", objects: []object{withPlugin}},
	{rule: "postgres-backup", name: "a week", objects: []object{postgres.with("spec.backup.retentionPolicy", "7d")},
		wants: []string{`spec.backup.retentionPolicy: is "7d"`}},
	{rule: "postgres-backup", name: "none", environment: "production",
		objects: []object{postgres.with("spec.backup", remove)},
		wants:   []string{"destinationPath", "retentionPolicy"}},
	{rule: "postgres-scheduled-backup", name: "scheduled", objects: []object{postgres, schedule}},
	{rule: "postgres-scheduled-backup", name: "local", environment: "local", objects: []object{postgres}},
	{rule: "postgres-scheduled-backup", name: "none", objects: []object{postgres},
		wants: []string{"no ScheduledBackup"}},
	{rule: "postgres-scheduled-backup", name: "suspended", objects: []object{postgres,
		schedule.with("spec.suspend", true)}, wants: []string{"no ScheduledBackup"}},
	{rule: "postgres-storage", name: "size and class", objects: []object{postgres}},
	{rule: "postgres-storage", name: "nothing", objects: []object{postgres.with("spec.storage", remove)},
		wants: []string{"spec.storage.size", "spec.storage.storageClass"}},
	{rule: "redis-persistence", name: "volumes", objects: []object{redis}},
	{rule: "redis-persistence", name: "none", objects: []object{redis.with("spec.volumeClaimTemplates", remove)},
		wants: []string{"spec.volumeClaimTemplates"}},
}

// elsewhere returns the object as it is in another region, on a cluster of its own.
func elsewhere(o object) object {
	return o.abroad().with(`metadata.labels["topology.kubernetes.io/region"]`, "us-east-1")
}

var regionExamples = []example{
	{rule: "production-two-regions", name: "two", environment: "production", objects: []object{good, elsewhere(good)}},
	{rule: "production-two-regions", name: "one in staging", objects: []object{good}},
	{rule: "production-two-regions", name: "one", environment: "production", objects: []object{good},
		wants: []string{"eu-west-1 is the only region"}},
	{rule: "regions-alike", name: "same", objects: []object{good, redis, elsewhere(good), elsewhere(redis)}},
	{rule: "regions-alike", name: "Redis in one only", objects: []object{good, redis, elsewhere(good)},
		wants: []string{"StatefulSet ai-agent/redis runs in region eu-west-1 and not in us-east-1"}},
}
