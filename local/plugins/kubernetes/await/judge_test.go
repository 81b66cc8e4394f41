package await

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	encoded, err := yaml.YAMLToJSON([]byte(text))
	require.NoError(t, err)
	obj := &unstructured.Unstructured{}
	require.NoError(t, obj.UnmarshalJSON(encoded))
	return obj
}

func TestJudges(t *testing.T) {
	const (
		stateful = "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a, generation: 2}, spec: {replicas: 2, " +
			"updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 0}}}, status: "
		daemon = "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: a, generation: 1}, status: "
		deploy = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 3}, spec: {replicas: 1, " +
			"progressDeadlineSeconds: 600}, status: "
		pod    = "{apiVersion: v1, kind: Pod, metadata: {name: a}, status: "
		crd    = "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: a}, status: "
		job    = "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, "
		secret = "{apiVersion: v1, kind: Secret, metadata: {name: a}, "
	)
	cases := map[string]struct {
		object  string
		ready   bool
		failed  bool
		message string
	}{
		"stateful set not seen": {
			object:  stateful + "{observedGeneration: 1}}",
			message: "observed generation is 1",
		},
		"stateful set rolling": {object: stateful + "{observedGeneration: 2, replicas: 2, readyReplicas: 2, " +
			"updatedReplicas: 1}}", message: "updated: 1/2"},
		"stateful set ready": {object: stateful + "{observedGeneration: 2, replicas: 2, readyReplicas: 2, " +
			"updatedReplicas: 2}}", ready: true},
		"daemon set not seen": {object: daemon + "{}}", message: "observedGeneration not found"},
		"daemon set rolling": {object: daemon + "{observedGeneration: 1, desiredNumberScheduled: 3, " +
			"currentNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 2}}", message: "Available: 2/3"},
		"daemon set ready": {object: daemon + "{observedGeneration: 1, desiredNumberScheduled: 1, " +
			"currentNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1, numberReady: 1}}", ready: true},
		"deployment of the old generation": {
			object: deploy + "{observedGeneration: 2, replicas: 1, updatedReplicas: 1, " +
				"readyReplicas: 1, availableReplicas: 1}}",
			message: "observed generation is 2",
		},
		"deployment past its deadline": {
			object: deploy + "{observedGeneration: 3, conditions: [{type: Progressing, " +
				`status: "False", reason: ProgressDeadlineExceeded}]}}`,
			failed:  true,
			message: "Progress deadline exceeded",
		},
		"pod pending": {object: pod + "{phase: Pending}}", message: "Pending"},
		"pod ready": {
			object: pod + `{phase: Running, conditions: [{type: Ready, status: "True"}]}}`,
			ready:  true,
		},
		"pod crash looping": {object: pod + "{phase: Running, containerStatuses: [{name: c, state: {waiting: " +
			"{reason: CrashLoopBackOff}}}]}}", message: "CrashLoop"},
		"pod done":   {object: pod + "{phase: Succeeded}}", ready: true},
		"pod failed": {object: pod + "{phase: Failed}}", failed: true, message: "failed"},
		"crd new":    {object: crd + "{}}", message: "Install in progress"},
		"crd ready":  {object: crd + `{conditions: [{type: Established, status: "True"}]}}`, ready: true},
		"crd rejected": {
			object: crd + `{conditions: [{type: NamesAccepted, status: "False", reason: Taken}]}}`,
			failed: true,
		},
		"job running": {object: job + "status: {active: 1}}", message: "1 active"},
		"job done":    {object: job + `status: {conditions: [{type: Complete, status: "True"}]}}`, ready: true},
		"job failed": {
			object:  job + `status: {conditions: [{type: Failed, status: "True", reason: DeadlineExceeded}]}}`,
			failed:  true,
			message: "DeadlineExceeded",
		},
		"job suspended": {object: job + "spec: {suspend: true}}", ready: true},
		"token not issued": {
			object:  secret + "type: kubernetes.io/service-account-token}",
			message: "not issued",
		},
		"ordinary secret":   {object: secret + "type: Opaque}", ready: true},
		"no waiting needed": {object: "{apiVersion: v1, kind: ServiceAccount, metadata: {name: a}}", ready: true},
		"volume pending": {
			object:  "{apiVersion: v1, kind: PersistentVolume, metadata: {name: a}, status: {phase: Pending}}",
			message: "Pending",
		},
		"ingress without address": {
			object:  "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}}",
			message: "address",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			live := parse(t, c.object)
			judge, err := Waiter{Inputs: live}.judgeFor(live)
			require.NoError(t, err)
			got, err := judge(t.Context(), live)
			require.NoError(t, err)
			assert.Equal(t, c.ready, got.ready, got.message)
			assert.Equal(t, c.failed, got.failed, got.message)
			if !c.ready {
				assert.Contains(t, got.message, c.message)
			}
		})
	}
}

func TestWaitForExpressions(t *testing.T) {
	live := parse(
		t,
		`{apiVersion: example.com/v1, kind: W, metadata: {name: a, generation: 2}, status: {phase: Running,
		count: 3, conditions: [{type: Ready, status: "True"}, {type: Old, status: "True", observedGeneration: 1},
		{type: Broken, status: "False", reason: Why, message: because}]}}`,
	)
	cases := map[string]struct {
		annotation string
		ready      bool
		message    string
	}{
		"condition":             {annotation: "condition=Ready", ready: true},
		"condition with status": {annotation: "condition=Broken=False", ready: true},
		"condition not met":     {annotation: "condition=Broken", message: "Broken is False: Why: because"},
		"condition missing":     {annotation: "condition=Other", message: "condition Other is not reported yet"},
		"condition out of date": {annotation: "condition=Old", message: "older generation"},
		"path with value":       {annotation: "jsonpath={.status.phase}=Running", ready: true},
		"path with number":      {annotation: "jsonpath={.status.count}=3", ready: true},
		"path exists":           {annotation: "jsonpath={.status.phase}", ready: true},
		"path with other value": {annotation: "jsonpath={.status.phase}=Done", message: `"Running", want "Done"`},
		"path missing": {
			annotation: "jsonpath={.status.other}",
			message:    "{.status.other} is not set yet",
		},
		"filter in the path": {
			annotation: `jsonpath={.status.conditions[?(@.type=="Ready")].status}=True`,
			ready:      true,
		},
		"list, all met":        {annotation: `["condition=Ready", "jsonpath={.status.count}=3"]`, ready: true},
		"list, one is not met": {annotation: `["condition=Ready", "condition=Other"]`, message: "Other"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			judge, err := parseWaitFor(c.annotation)
			require.NoError(t, err)
			got, err := judge(t.Context(), live)
			require.NoError(t, err)
			assert.Equal(t, c.ready, got.ready, got.message)
			assert.Contains(t, got.message, c.message)
		})
	}
	for _, wrong := range []string{"ready", "jsonpath=.status.phase", "jsonpath={.status", "[]"} {
		_, err := parseWaitFor(wrong)
		assert.ErrorContains(t, err, "pulumi.com/waitFor", wrong)
	}
}

func TestContainerProblems(t *testing.T) {
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 2}}
	cases := map[string]struct {
		status corev1.ContainerStatus
		want   string
	}{
		"starting": {corev1.ContainerStatus{State: waiting("ContainerCreating", "")}, ""},
		"no image": {
			corev1.ContainerStatus{State: waiting("ErrImagePull", "not found")},
			"ErrImagePull: not found",
		},
		"exited": {corev1.ContainerStatus{State: ended}, "Error, exit code 2"},
		"crash loop": {
			corev1.ContainerStatus{State: waiting("CrashLoopBackOff", "back-off"), LastTerminationState: ended},
			"CrashLoopBackOff: back-off (last exit: Error, exit code 2)",
		},
		"restarting": {corev1.ContainerStatus{RestartCount: 4, LastTerminationState: ended,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			"restarted 4 times (last exit: Error, exit code 2)"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, containerProblem(c.status)) })
	}
}
