package provider

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/emptypb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"agentstack/local/plugins/kubernetes/object"
)

func TestDeploymentIsReadyWhenItsPodsAre(t *testing.T) {
	s := newStack(t, nil)
	s.playKubelet(s.podsRun)
	r := s.up(deployment, "api", s.in("api", deploymentSpec("api", "example.com/api:1", 2)))
	assert.EqualValues(t, 2, r.live(t)["status"].(doc)["availableReplicas"], "the state is that after the wait")

	updated, err := s.update(r, deployment, s.in("api", deploymentSpec("api", "example.com/api:2", 2)), false)
	require.NoError(t, err)
	status := updated.live(t)["status"].(doc)
	assert.EqualValues(t, 2, status["updatedReplicas"])
	assert.EqualValues(t, 2, status["replicas"], "the old pods are gone")
}

func TestBadImageEndsInAnErrorThatQuotesTheEvents(t *testing.T) {
	s := newStack(t, nil)
	s.playKubelet(s.podsCannotPull)
	started := time.Now()
	r, err := s.tryUp(
		deployment,
		"api",
		s.in("api", deploymentSpec("api", "example.com/nope:1", 1)),
		8*time.Second,
	)
	assert.Less(t, time.Since(started), 30*time.Second)

	detail := initFailure(t, err)
	assert.Equal(t, s.namespace+"/api", detail.GetId())
	reasons := strings.Join(detail.GetReasons(), "\n")
	assert.Contains(t, reasons, s.namespace+"/api (apps/v1 Deployment): not ready after 8s: Available: 0/1")
	assert.Contains(t, reasons, `container main: ImagePullBackOff: Back-off pulling image "example.com/nope:1"`)
	assert.Contains(t, reasons, `Failed: Failed to pull image "example.com/nope:1": manifest unknown`)
	assert.Contains(t, s.host.text(), "manifest unknown", "the user is warned while waiting")

	r.id, r.state = detail.GetId(), detail.GetProperties()
	assert.NotEmpty(t, r.live(t)["__inputs"], "the state of the failed object is kept")
	_, err = s.read(r)
	assert.Contains(t, strings.Join(initFailure(t, err).GetReasons(), "\n"), "ImagePullBackOff",
		"a refresh says that it is still unhealthy")
}

func TestProgressDeadlineEndsTheWaitEarly(t *testing.T) {
	s := newStack(t, nil)
	s.playKubelet(s.podsCannotPull)
	spec := deploymentSpec("api", "example.com/nope:1", 1)
	spec["spec"].(doc)["progressDeadlineSeconds"] = 2
	_, err := s.tryUp(deployment, "api", s.in("api", spec), time.Minute)
	assert.Contains(t, initFailure(t, err).GetReasons()[0], "failed: Progress deadline exceeded")
}

func TestTimeoutAnnotationAndSkipAwait(t *testing.T) {
	s := newStack(t, nil)
	annotated := func(annotations doc) doc {
		d := s.in("api", deploymentSpec("api", "example.com/api:1", 1))
		d["metadata"].(doc)["annotations"] = annotations
		return d
	}
	_, err := s.tryUp(deployment, "api", annotated(doc{object.AnnotationTimeoutSeconds: "1"}), 0)
	assert.Contains(t, initFailure(t, err).GetReasons()[0], "not ready after 1s")
	_, err = s.tryUp(deployment, "api", annotated(doc{object.AnnotationSkipAwait: "true"}), 0)
	require.NoError(t, err)

	checked := s.check(deployment, "api", nil, annotated(doc{
		object.AnnotationTimeoutSeconds: "soon", object.AnnotationWaitFor: "ready",
	}))
	require.Len(t, checked.GetFailures(), 2, "every problem is reported at once")
	assert.Contains(t, checked.GetFailures()[0].GetReason(), `"soon"`)
	assert.Contains(t, checked.GetFailures()[1].GetReason(), `want condition=`)
}

func jobSpec() doc {
	return doc{"spec": doc{
		"backoffLimit": 0,
		"template": doc{"spec": doc{
			"restartPolicy": "Never", "containers": []any{doc{"name": "main", "image": "example.com/job:1"}},
		}},
	}}
}

func TestJobCompletes(t *testing.T) {
	s := newStack(t, nil)
	s.playKubelet(s.podsSucceed)
	r := s.up(job, "migrate", s.in("migrate", jobSpec()))
	assert.EqualValues(t, 1, r.live(t)["status"].(doc)["succeeded"])
	again := jobSpec()
	pod := again["spec"].(doc)["template"].(doc)["spec"].(doc)
	pod["containers"].([]any)[0].(doc)["image"] = "example.com/job:2"
	change, _ := s.diff(r, job, s.in("migrate", again))
	assert.Equal(t, []string{"spec.template.spec.containers[0].image"}, change.GetReplaces())
	s.delete(r)
}

func TestFailedJobEndsTheWait(t *testing.T) {
	s := newStack(t, nil)
	s.playKubelet(s.podsFail)
	_, err := s.tryUp(job, "migrate", s.in("migrate", jobSpec()), time.Minute)
	reasons := strings.Join(initFailure(t, err).GetReasons(), "\n")
	assert.Contains(t, reasons, "(batch/v1 Job): failed: Failed is True: BackoffLimitExceeded")
	assert.Contains(t, reasons, "exit code 3")
}

func TestFailedJobIsReplacedWhenAsked(t *testing.T) {
	s := newStack(t, nil)
	s.playKubelet(s.podsFail)
	wanted := s.in("migrate", jobSpec())
	r, err := s.tryUp(job, "migrate", wanted, time.Minute)
	detail := initFailure(t, err)
	r.id, r.state = detail.GetId(), detail.GetProperties()
	change, _ := s.diff(r, job, wanted)
	assert.Empty(t, change.GetReplaces())

	wanted["metadata"].(doc)["annotations"] = doc{object.AnnotationReplaceUnready: "true"}
	change, _ = s.diff(r, job, wanted)
	assert.Equal(t, []string{`metadata.annotations["pulumi.com/replaceUnready"]`}, change.GetReplaces())
	assert.True(t, change.GetDeleteBeforeReplace())
}

func TestServiceWaitsForEndpoints(t *testing.T) {
	s := newStack(t, nil)
	spec := doc{"spec": doc{"selector": doc{"app": "api"}, "ports": []any{doc{"port": 80}}}}
	_, err := s.tryUp(service, "api", s.in("api", spec), 5*time.Second)
	assert.Contains(t, initFailure(t, err).GetReasons()[0], "no pod behind the Service is ready")

	s.playKubelet(s.podsRun)
	s.up(deployment, "api", s.in("api", deploymentSpec("api", "example.com/api:1", 1)))
	s.up(service, "api", s.in("api", spec))
	spec["spec"].(doc)["clusterIP"] = "None"
	s.up(service, "headless", s.in("headless", spec))
	s.up(
		service,
		"external",
		s.in("external", doc{"spec": doc{"type": "ExternalName", "externalName": "example.com"}}),
	)
}

func TestClaimThatBindsOnFirstUseIsReady(t *testing.T) {
	s := newStack(t, nil)
	class := "later-" + s.namespace
	storage := s.up("kubernetes:storage.k8s.io/v1:StorageClass", class, doc{
		"metadata": doc{
			"name": class,
		}, "provisioner": "example.com/none", "volumeBindingMode": "WaitForFirstConsumer",
	})
	claim := func(class string) doc {
		return s.in("data", doc{"spec": doc{
			"accessModes": []any{"ReadWriteOnce"}, "storageClassName": class,
			"resources": doc{"requests": doc{"storage": "1Gi"}},
		}})
	}
	token := "kubernetes:core/v1:PersistentVolumeClaim"
	r := s.up(token, "data", claim(class))
	change, _ := s.diff(r, token, claim("other"))
	assert.Equal(t, []string{"spec.storageClassName"}, change.GetReplaces())
	s.delete(r)
	s.delete(storage)
	_, err := s.tryUp(token, "data", claim("missing"), time.Second)
	assert.Contains(t, initFailure(t, err).GetReasons()[0], `StorageClass "missing" does not exist`)
}

// setStatus plays the controller of the Widget.
func (s *stack) setStatus(name, status string) {
	s.Helper()
	resource := schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "widgets"}
	client := dynamic.NewForConfigOrDie(server.Config).Resource(resource).Namespace(s.namespace)
	eventually(s.T, func() bool {
		_, err := client.Patch(s.Context(), name, types.MergePatchType, []byte(`{"status":`+status+`}`),
			metav1.PatchOptions{}, "status")
		return err == nil
	}, "the Widget exists")
}

func TestCustomResourceWaitsForItsReadyCondition(t *testing.T) {
	s := newStack(t, nil)
	failed := make(chan error, 1)
	go func() {
		_, err := s.tryUp(widget, "w", s.in("w", doc{"spec": doc{"size": 1}}), 3*time.Second)
		failed <- err
	}()
	s.setStatus(
		"w",
		`{"conditions":[{"type":"Ready","status":"False","reason":"Starting","message":"one of three"}]}`,
	)
	detail := initFailure(t, <-failed)
	assert.Contains(t, detail.GetReasons()[0], "(example.com/v1 Widget): not ready after 3s: one of three")

	s.setStatus("w", `{"conditions":[{"type":"Ready","status":"True"}]}`)
	r := s.up(widget, "w", s.in("w", doc{"spec": doc{"size": 1}}))
	assert.Equal(t, "True", r.live(t)["status"].(doc)["conditions"].([]any)[0].(doc)["status"])
}

func TestWaitForAnnotation(t *testing.T) {
	s := newStack(t, nil)
	waiting := s.in("w", doc{"spec": doc{"size": 1}})
	waiting["metadata"].(doc)["annotations"] = doc{
		object.AnnotationWaitFor: `["jsonpath={.status.phase}=Running", "condition=Ready"]`,
	}
	_, err := s.tryUp(widget, "w", waiting, time.Second)
	assert.Contains(
		t,
		initFailure(t, err).GetReasons()[0],
		"{.status.phase} is not set yet; condition Ready is not reported",
	)
	s.setStatus("w", `{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}`)
	s.up(widget, "w", waiting)
}

func TestCancelEndsWaits(t *testing.T) {
	s := newStack(t, nil)
	failed := make(chan error, 1)
	go func() {
		_, err := s.tryUp(
			deployment,
			"api",
			s.in("api", deploymentSpec("api", "example.com/api:1", 1)),
			time.Hour,
		)
		failed <- err
	}()
	eventually(t, func() bool { return strings.Contains(s.host.text(), "waiting: ") }, "the wait begins")
	_, err := s.provider.Cancel(t.Context(), &emptypb.Empty{})
	require.NoError(t, err)
	detail := initFailure(t, <-failed)
	assert.Contains(t, detail.GetReasons()[0], "canceled after")
	assert.NotEmpty(t, detail.GetProperties().GetFields(), "the state of what was created is kept")
}
