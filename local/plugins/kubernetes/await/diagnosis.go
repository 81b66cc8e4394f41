package await

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"agentstack/local/plugins/kubernetes/cluster"
)

const (
	diagnoseTimeout = 10 * time.Second
	maxPods         = 3 // that are explained; the others of a workload fail for the same reasons
	maxEvents       = 3 // of one object
	logLines        = 5 // of a crashed container
)

// diagnosis explains why an object is not ready. Whatever it cannot read it leaves out: the wait's own
// failure must not be hidden by a failure to explain it.
type diagnosis struct {
	client *cluster.Client
	logs   bool // quote the last lines of crashed containers
}

func (d diagnosis) of(ctx context.Context, live *unstructured.Unstructured) []string {
	var problems []string
	for _, c := range conditions(live) {
		if unhealthy(c) {
			problems = append(problems, c.String())
		}
	}
	owner, pods := d.pods(ctx, live)
	for i := range pods {
		problems = append(problems, d.pod(ctx, &pods[i])...)
	}
	problems = append(problems, d.events(ctx, live.GetNamespace(), live.GetUID())...)
	if owner != live.GetUID() {
		problems = append(problems, d.events(ctx, live.GetNamespace(), owner)...)
	}
	return unique(problems)
}

func unhealthy(c statusCondition) bool {
	switch c.kind {
	case "ReplicaFailure", "Stalled", "Failed":
		return c.status == "True"
	case "Available", "Progressing", "Ready", "Established", "NamesAccepted":
		return c.status == "False"
	}
	return false
}

func (d diagnosis) pod(ctx context.Context, pod *corev1.Pod) []string {
	var problems []string
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			problems = append(problems, fmt.Sprintf("pod %s: %s: %s", pod.Name, c.Reason, c.Message))
		}
	}
	containers := append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...),
		pod.Status.ContainerStatuses...)
	for _, container := range containers {
		if problem := containerProblem(container); problem != "" {
			problems = append(
				problems,
				fmt.Sprintf("pod %s: container %s: %s", pod.Name, container.Name, problem),
			)
			problems = append(problems, d.lastLines(ctx, pod, container)...)
		}
	}
	return append(problems, d.events(ctx, pod.Namespace, pod.UID)...)
}

func containerProblem(container corev1.ContainerStatus) string {
	waiting, ended := container.State.Waiting, container.State.Terminated
	before := container.LastTerminationState.Terminated
	switch {
	case waiting != nil && before != nil:
		return fmt.Sprintf("%s: %s (last exit: %s)", waiting.Reason, waiting.Message, exit(before))
	case waiting != nil && waiting.Reason != "ContainerCreating" && waiting.Reason != "PodInitializing":
		return fmt.Sprintf("%s: %s", waiting.Reason, waiting.Message)
	case ended != nil && ended.ExitCode != 0:
		return exit(ended)
	case container.State.Running != nil && before != nil && !container.Ready:
		return fmt.Sprintf("restarted %d times (last exit: %s)", container.RestartCount, exit(before))
	}
	return ""
}

func exit(state *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("%s, exit code %d", state.Reason, state.ExitCode)
	if state.Message != "" {
		text += ": " + state.Message
	}
	return text
}

func (d diagnosis) lastLines(ctx context.Context, pod *corev1.Pod, container corev1.ContainerStatus) []string {
	crashed := container.State.Terminated != nil || container.LastTerminationState.Terminated != nil
	if !d.logs || !crashed {
		return nil
	}
	lines := int64(logLines)
	text, err := d.client.Core().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
		Container: container.Name, TailLines: &lines, Previous: container.State.Terminated == nil,
	}).DoRaw(ctx)
	if err != nil || strings.TrimSpace(string(text)) == "" {
		return nil
	}
	return []string{fmt.Sprintf("pod %s: container %s: last log lines:\n%s", pod.Name, container.Name,
		strings.TrimSpace(string(text)))}
}

func (d diagnosis) events(ctx context.Context, namespace string, uid types.UID) []string {
	selector := fields.Set{"involvedObject.uid": string(uid), "type": corev1.EventTypeWarning}
	list, err := d.client.Core().Events(eventNamespace(namespace)).
		List(ctx, metav1.ListOptions{FieldSelector: selector.String()})
	if err != nil {
		return nil
	}
	var problems []string
	for _, event := range newest(list.Items) {
		problems = append(problems, fmt.Sprintf("event on %s %s: %s: %s",
			event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Reason, strings.TrimSpace(event.Message)))
	}
	return problems
}

// eventNamespace is where the API server puts events: those of cluster-scoped objects are in "default".
func eventNamespace(namespace string) string {
	if namespace == "" {
		return metav1.NamespaceDefault
	}
	return namespace
}
