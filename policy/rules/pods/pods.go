// Package pods judges how pods are locked in and what they claim, after the restricted Pod Security Standard.
package pods

import (
	"agentstack/policy/rule"
	"agentstack/policy/workload"
)

const standard = " https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"

// Rules of this concern.
var Rules = []rule.Rule{{
	Name: "pod-non-root",
	Description: "Containers run as a user other than root: a process that breaks out is nobody on the node." +
		standard,
	Level:    rule.Mandatory,
	Resource: workload.Judges(nonRoot),
}, {
	Name: "pod-no-privilege-escalation",
	Description: "Containers are not privileged and cannot gain privileges, such as by a setuid program." +
		standard,
	Level:    rule.Mandatory,
	Resource: workload.Judges(noEscalation),
}, {
	Name:        "pod-capabilities",
	Description: "Containers drop all Linux capabilities and add none but NET_BIND_SERVICE." + standard,
	Level:       rule.Mandatory,
	Resource:    workload.Judges(capabilities),
}, {
	Name: "pod-read-only-root",
	Description: "The root file system of containers is read-only: nothing can be planted in an image that runs. " +
		"https://kubernetes.io/docs/tasks/configure-pod-container/security-context/",
	Level:    rule.Mandatory,
	Resource: workload.Judges(readOnlyRoot),
}, {
	Name:        "pod-seccomp",
	Description: "A seccomp profile filters the system calls of every container." + standard,
	Level:       rule.Mandatory,
	Resource:    workload.Judges(seccomp),
}, {
	Name:        "pod-no-host-namespaces",
	Description: "Pods share no network, process or IPC namespace and no port with their node." + standard,
	Level:       rule.Mandatory,
	Resource:    workload.Judge(noHostNamespaces),
}, {
	Name:        "pod-no-host-path",
	Description: "Pods mount no folder of their node." + standard,
	Level:       rule.Mandatory,
	Resource:    workload.Judge(noHostPath),
}, {
	Name:        "pod-host-path-read-only",
	Description: "A pod that may mount folders of its node mounts them read-only, but for /var/lib/ and its own name.",
	Level:       rule.Mandatory,
	Resource:    workload.Judges(hostPathReadOnly),
}, {
	Name: "pod-resources",
	Description: "Containers request CPU and memory, so that the scheduler knows what they need, and limit memory, " +
		"so that a leak ends one container and not its node. " +
		"https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",
	Level:    rule.Mandatory,
	Resource: workload.Judges(resources),
}, {
	Name: "pod-probes",
	Description: "Containers that serve a port have a readiness and a liveness probe: without them traffic goes to " +
		"pods that cannot answer, and a hung process stays. A sidecar that serves only metrics needs no readiness " +
		"probe. " +
		"https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/",
	Level:    rule.Mandatory,
	Resource: workload.Judges(probes),
}, {
	Name: "pod-token",
	Description: "A pod has a token of its ServiceAccount only where a binding gives that account rights: a token " +
		"without use is one to steal. " +
		"https://kubernetes.io/docs/concepts/security/rbac-good-practices/",
	Level: rule.Mandatory,
	Stack: token,
}}

func nonRoot(w workload.Workload, container workload.Container, report rule.Report) {
	if setting := w.Security(container, "runAsNonRoot"); !setting.CanBe(true) {
		report(setting, "must be true: set it for the container or the pod")
	}
	if user := w.Security(container, "runAsUser"); user.Is(0.0) {
		report(user, "is 0, which is root: give the numeric user of the image")
	}
}

func noEscalation(_ workload.Workload, container workload.Container, report rule.Report) {
	if setting := container.At("securityContext.allowPrivilegeEscalation"); !setting.CanBe(false) {
		report(setting, "must be false")
	}
	if setting := container.At("securityContext.privileged"); setting.Is(true) {
		report(setting, "must not be true: give the container what it needs instead")
	}
}

func capabilities(_ workload.Workload, container workload.Container, report rule.Report) {
	if dropped := container.At("securityContext.capabilities.drop"); !dropped.CanHold("ALL") {
		report(dropped, "must hold ALL")
	}
	for _, added := range container.At("securityContext.capabilities.add").Items() {
		if !added.CanBe("NET_BIND_SERVICE") {
			report(added, "adds %s: remove it, only NET_BIND_SERVICE may be added", added.Text())
		}
	}
}

func readOnlyRoot(_ workload.Workload, container workload.Container, report rule.Report) {
	if setting := container.At("securityContext.readOnlyRootFilesystem"); !setting.CanBe(true) {
		report(setting, "must be true: mount an emptyDir where the process writes")
	}
}

func seccomp(w workload.Workload, container workload.Container, report rule.Report) {
	if profile := w.Security(container, "seccompProfile").At("type"); !profile.CanBe("RuntimeDefault", "Localhost") {
		report(profile, "must be RuntimeDefault: set it for the pod")
	}
}

func resources(_ workload.Workload, container workload.Container, report rule.Report) {
	for _, path := range []string{"resources.requests.cpu", "resources.requests.memory", "resources.limits.memory"} {
		if amount := container.At(path); amount.Empty() {
			report(amount, "is missing: measure what the container uses and set it")
		}
	}
}

func probes(w workload.Workload, container workload.Container, report rule.Report) {
	if !w.Serves() || container.Ends || container.At("ports").Empty() {
		return
	}
	demanded := []string{"readinessProbe", "livenessProbe"}
	if isExporter(w, container) {
		demanded = []string{"livenessProbe"}
	}
	for _, probe := range demanded {
		if at := container.At(probe); at.Empty() {
			report(at, "is missing: the container declares ports, so say how to tell that it works")
		}
	}
}

// isExporter reports whether the container serves nothing but metrics beside others. Its readiness would take them
// out of their Service.
func isExporter(w workload.Workload, container workload.Container) bool {
	for _, port := range container.At("ports").Items() {
		if !port.At("name").CanBe("metrics") {
			return false
		}
	}
	return len(w.Spec.At("containers").Items()) > 1
}
