package main

// good is a Deployment to which no rule for single resources objects.
var good = kube(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: ai-agent, labels: {topology.kubernetes.io/region: eu-west-1}}
spec:
  replicas: 3
  template:
    metadata: {labels: {app.kubernetes.io/name: api}}
    spec:
      serviceAccountName: api
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100}]}}
      volumes: [{name: tmp, emptyDir: {}}]
      containers:
      - name: api
        image: registry.example.com/api:v1.2.3@sha256:0000000000000000000000000000000000000000000000000000000000000000
        args: [serve]
        env:
        - {name: LOG_LEVEL, value: info}
        - {name: API_KEY, valueFrom: {secretKeyRef: {name: api, key: key}}}
        ports: [{name: http, containerPort: 8000}]
        readinessProbe: {httpGet: {path: /ready, port: http}}
        livenessProbe: {httpGet: {path: /livez, port: http}}
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
        volumeMounts: [{name: tmp, mountPath: /tmp}]
`)

var cronJob = kube(`
apiVersion: batch/v1
kind: CronJob
metadata: {name: backup, namespace: ai-agent}
spec:
  jobTemplate:
    spec:
      template:
        spec:
          automountServiceAccountToken: false
          initContainers: [{name: install, image: "registry.example.com/api:v1.2.3", args: [install]}]
          containers: [{name: backup, image: "registry.example.com/postgresql:17.7", ports: [{containerPort: 1}]}]
`)

const (
	podSpec   = "spec.template.spec."
	container = podSpec + "containers[0]."
	cronSpec  = "spec.jobTemplate.spec.template.spec."
)

// initContainer adds an init container with nothing but its name and image.
func initContainer(o object) object {
	return o.with(podSpec+"initContainers",
		[]any{map[string]any{"name": "init", "image": "registry.example.com/init:v1.0"}})
}

var podExamples = []example{
	{rule: "pod-non-root", name: "pod", objects: []object{good}},
	{rule: "pod-non-root", name: "container",
		objects: []object{good.with(podSpec+"securityContext.runAsNonRoot", remove,
			container+"securityContext.runAsNonRoot", true)}},
	{rule: "pod-non-root", name: "nothing set", objects: []object{good.with(podSpec+"securityContext", remove)},
		wants: []string{container + "securityContext.runAsNonRoot: must be true"}},
	{rule: "pod-non-root", name: "container overrides pod",
		objects: []object{good.with(container+"securityContext.runAsNonRoot", false)},
		wants:   []string{"containers[0].securityContext.runAsNonRoot"}},
	{rule: "pod-non-root", name: "user 0", objects: []object{good.with(podSpec+"securityContext.runAsUser", 0.0)},
		wants: []string{"spec.template.spec.securityContext.runAsUser: is 0"}},
	{rule: "pod-non-root", name: "CronJob and its init container", objects: []object{cronJob},
		wants: []string{cronSpec + "initContainers[0].securityContext", cronSpec + "containers[0].securityContext"}},
	{rule: "pod-non-root", name: "bare Pod", objects: []object{kube(`
apiVersion: v1
kind: Pod
metadata: {name: debug}
spec: {containers: [{name: shell, image: "registry.example.com/shell:1.0"}]}`)},
		wants: []string{": spec.containers[0].securityContext.runAsNonRoot"}},

	{rule: "pod-no-privilege-escalation", name: "none", objects: []object{good}},
	{rule: "pod-no-privilege-escalation", name: "by default",
		objects: []object{good.with(container+"securityContext.allowPrivilegeEscalation", remove)},
		wants:   []string{"securityContext.allowPrivilegeEscalation: must be false"}},
	{rule: "pod-no-privilege-escalation", name: "privileged",
		objects: []object{good.with(container+"securityContext.privileged", true)},
		wants:   []string{"securityContext.privileged"}},

	{rule: "pod-capabilities", name: "all dropped", objects: []object{good}},
	{rule: "pod-capabilities", name: "low port",
		objects: []object{good.with(container+"securityContext.capabilities.add", []any{"NET_BIND_SERVICE"})}},
	{rule: "pod-capabilities", name: "one dropped, one added", objects: []object{good.with(
		container+"securityContext.capabilities", map[string]any{"drop": []any{"KILL"}, "add": []any{"SYS_ADMIN"}})},
		wants: []string{"capabilities.drop: must hold ALL", "capabilities.add[0]: adds SYS_ADMIN"}},

	{rule: "pod-read-only-root", name: "read-only", objects: []object{good}},
	{rule: "pod-read-only-root", name: "writable in an init container", objects: []object{initContainer(good)},
		wants: []string{"initContainers[0].securityContext.readOnlyRootFilesystem"}},

	{rule: "pod-seccomp", name: "pod", objects: []object{good}},
	{rule: "pod-seccomp", name: "unconfined container", objects: []object{good.with(
		container+"securityContext.seccompProfile", map[string]any{"type": "Unconfined"})},
		wants: []string{"containers[0].securityContext.seccompProfile.type"}},

	{rule: "pod-no-host-namespaces", name: "none", objects: []object{good}},
	{rule: "pod-no-host-namespaces", name: "all", objects: []object{good.with(podSpec+"hostNetwork", true,
		podSpec+"hostPID", true, podSpec+"hostIPC", true, container+"ports[0].hostPort", 80.0)},
		wants: []string{"spec.hostNetwork", "spec.hostPID", "spec.hostIPC", "ports[0].hostPort"}},

	{rule: "pod-no-host-path", name: "emptyDir", objects: []object{good}},
	{rule: "pod-no-host-path", name: "host path", objects: []object{hostPath(good, "/etc")},
		wants: []string{`volumes[0].hostPath: mounts "/etc"`}},
	{rule: "pod-host-path-read-only", name: "read-only",
		objects: []object{hostPath(good, "/proc").with(container+"volumeMounts[0].readOnly", true)}},
	{rule: "pod-host-path-read-only", name: "folder of its own", objects: []object{hostPath(good, "/var/lib/api")}},
	{rule: "pod-host-path-read-only", name: "writable", objects: []object{hostPath(good, "/var/lib/kubelet")},
		wants: []string{"volumeMounts[0].readOnly: must be true: the mount is /var/lib/kubelet"}},

	{rule: "pod-resources", name: "requests and limit", objects: []object{good}},
	{rule: "pod-resources", name: "nothing", objects: []object{initContainer(good)}, wants: []string{
		"initContainers[0].resources.requests.cpu", "initContainers[0].resources.requests.memory",
		"initContainers[0].resources.limits.memory"}},

	{rule: "pod-probes", name: "both", objects: []object{good}},
	{rule: "pod-probes", name: "no ports", objects: []object{good.with(container+"ports", remove,
		container+"livenessProbe", remove)}},
	{rule: "pod-probes", name: "containers that end", objects: []object{cronJob}},
	{rule: "pod-probes", name: "exporter beside another container", objects: []object{exporter(good, "metrics")}},
	{rule: "pod-probes", name: "sidecar that serves more", objects: []object{exporter(good, "http")},
		wants: []string{"containers[1].readinessProbe"}},
	{rule: "pod-probes", name: "exporter alone", objects: []object{good.with(container+"ports[0].name", "metrics",
		container+"readinessProbe", remove)}, wants: []string{"containers[0].readinessProbe"}},
	{rule: "pod-probes", name: "none", objects: []object{good.with(container+"livenessProbe", remove,
		container+"readinessProbe", remove)},
		wants: []string{"containers[0].livenessProbe", "containers[0].readinessProbe"}},
	{rule: "pod-probes", name: "sidecar among the init containers", objects: []object{initContainer(good).with(
		podSpec+"initContainers[0].restartPolicy", "Always", podSpec+"initContainers[0].ports", []any{map[string]any{}},
		podSpec+"initContainers[0].readinessProbe", map[string]any{"exec": "x"})},
		wants: []string{"initContainers[0].livenessProbe"}},
}

// exporter adds a sidecar that is live but says nothing of its readiness.
func exporter(o object, port string) object {
	return o.with(podSpec+"containers[1]", map[string]any{
		"name": "exporter", "ports": []any{map[string]any{"name": port}},
		"livenessProbe": map[string]any{"httpGet": "x"},
	})
}

func hostPath(o object, path string) object {
	return o.with(podSpec+"volumes[0]", map[string]any{"name": "tmp", "hostPath": map[string]any{"path": path}})
}

var (
	serviceAccount = kube(`
apiVersion: v1
kind: ServiceAccount
metadata: {name: api, namespace: ai-agent}
`)
	roleBinding = kube(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: api, namespace: ai-agent}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: api}
subjects: [{kind: ServiceAccount, name: api}]
`)
	withToken = good.with(podSpec+"automountServiceAccountToken", true)
	byDefault = good.with(podSpec+"automountServiceAccountToken", remove)
)

var tokenExamples = []example{
	{rule: "pod-token", name: "off", objects: []object{good}},
	{rule: "pod-token", name: "off at the account",
		objects: []object{byDefault, serviceAccount.with("automountServiceAccountToken", false)}},
	{rule: "pod-token", name: "bound", objects: []object{withToken, serviceAccount, roleBinding}},
	{rule: "pod-token", name: "by default", objects: []object{byDefault, serviceAccount},
		wants: []string{"automountServiceAccountToken: must be false"}},
	{rule: "pod-token", name: "bound elsewhere",
		objects: []object{withToken, roleBinding.with("metadata.namespace", "b")},
		wants:   []string{"ServiceAccount api"}},
	{rule: "pod-token", name: "bound in another cluster", objects: []object{withToken, roleBinding.abroad()},
		wants: []string{"ServiceAccount api"}},
}

const zeroDigest = "@sha256:0000000000000000000000000000000000000000000000000000000000000000"

var dockerImage = object{token: "docker:index/image:Image", name: "api",
	inputs: properties(`{imageName: "registry.example.com:5000/api:staging"}`)}

func image(reference string) object { return good.with(container+"image", reference) }

var imageExamples = []example{
	{rule: "image-version", name: "version and digest", objects: []object{good}},
	{rule: "image-version", name: "digest alone", objects: []object{image("registry:5000/api" + zeroDigest)}},
	{rule: "image-version", name: "latest", objects: []object{image("registry:5000/api:latest")},
		wants: []string{`containers[0].image: "registry:5000/api:latest" has no exact version`}},
	{rule: "image-version", name: "no tag", objects: []object{image("registry:5000/api")},
		wants: []string{"no exact version"}},
	{rule: "image-version", name: "major version only", objects: []object{image("redis:8")},
		wants: []string{"redis:8"}},
	{rule: "image-version", name: "PostgreSQL", objects: []object{postgres.with("spec.imageName", "postgresql:17")},
		wants: []string{"spec.imageName"}},
	{rule: "image-digest", name: "digest", objects: []object{good}},
	{rule: "image-digest", name: "version", objects: []object{image("redis:8.0.2")}, wants: []string{"append @sha256"}},
	{rule: "image-built-by-digest", name: "digest",
		objects: []object{dockerImage, image("registry.example.com:5000/api" + zeroDigest)}},
	{rule: "image-built-by-digest", name: "image of others", objects: []object{dockerImage, image("redis:8.0.2")}},
	{rule: "image-built-by-digest", name: "tag",
		objects: []object{dockerImage, image("registry.example.com:5000/api:v1.2.3")},
		wants:   []string{"use the repoDigest output"}},
	{rule: "helm-release-version", name: "exact", objects: []object{release}},
	{rule: "helm-release-version", name: "range", objects: []object{release.with("version", "~1.2.0")},
		wants: []string{`version: "~1.2.0" is no exact version`}},
	{rule: "helm-release-version", name: "none", objects: []object{release.with("version", remove)},
		wants: []string{"no exact version"}},
}

var release = object{token: "kubernetes:helm.sh/v3:Release", name: "operator",
	inputs: properties(`{chart: cloudnative-pg, version: 0.27.0}`)}

var (
	nodeNamespace = kube(`
apiVersion: v1
kind: Namespace
metadata: {name: monitoring-node, labels: {pod-security.kubernetes.io/enforce: privileged}}
`)
	logCollector = hostPath(good, "/var/log/pods").with("metadata.name", "opentelemetry-collector",
		"metadata.namespace", "monitoring-node", podSpec+"securityContext.runAsUser", 0.0)
)

// exceptionExamples show that an exception covers one object and the rules that it lists, and no more.
var exceptionExamples = []example{
	{rule: "namespace-pod-security", name: "node agents", objects: []object{nodeNamespace}},
	{rule: "pod-no-host-path", name: "node agent", objects: []object{logCollector}},
	{rule: "pod-non-root", name: "node agent", objects: []object{logCollector}},
	{rule: "pod-host-path-read-only", name: "node agent", objects: []object{logCollector},
		wants: []string{"/var/log/pods"}},
	{rule: "pod-no-host-path", name: "namesake in another namespace",
		objects: []object{logCollector.with("metadata.namespace", "ai-agent")}, wants: []string{"hostPath"}},
	{rule: "pod-no-host-path", name: "stranger among the node agents",
		objects: []object{logCollector.with("metadata.name", "api")}, wants: []string{"hostPath"}},
}
