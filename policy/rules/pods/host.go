package pods

import (
	"agentstack/policy/rule"
	"agentstack/policy/workload"
)

func noHostNamespaces(w workload.Workload, report rule.Report) {
	for _, field := range []string{"hostNetwork", "hostPID", "hostIPC"} {
		if at := w.Spec.At(field); at.Is(true) {
			report(at, "must not be true: pods talk to each other through Services")
		}
	}
	for _, container := range w.Containers() {
		for _, port := range container.At("ports").Items() {
			if at := port.At("hostPort"); !at.Empty() && !at.CanBe(0.0) {
				report(at, "must not be set: use a Service")
			}
		}
	}
}

func noHostPath(w workload.Workload, report rule.Report) {
	for _, volume := range w.Spec.At("volumes").Items() {
		if at := volume.At("hostPath"); isHostPath(volume) {
			report(at, "mounts %q of the node: use a volume of the cluster", at.At("path").Text())
		}
	}
}

// hostPathReadOnly lets a pod write to one folder of the node: /var/lib/ and its own name, where it keeps what must
// outlive it.
func hostPathReadOnly(w workload.Workload, container workload.Container, report rule.Report) {
	folders := map[string]rule.Value{}
	for _, volume := range w.Spec.At("volumes").Items() {
		if isHostPath(volume) {
			folders[volume.At("name").Text()] = volume.At("hostPath.path")
		}
	}
	for _, mount := range container.At("volumeMounts").Items() {
		folder, found := folders[mount.At("name").Text()]
		if !found || folder.CanBe("/var/lib/"+w.ObjectName().Text()) || w.ObjectName().Unknown() {
			continue
		}
		if at := mount.At("readOnly"); !at.CanBe(true) {
			report(at, "must be true: the mount is %s of the node", folder.Text())
		}
	}
}

func isHostPath(volume rule.Value) bool {
	at := volume.At("hostPath")
	return !at.Unknown() && !at.Missing()
}
