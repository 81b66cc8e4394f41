package provider

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"agentstack/local/plugins/kubernetes/object"
)

const (
	configMap  = "kubernetes:core/v1:ConfigMap"
	secret     = "kubernetes:core/v1:Secret"
	service    = "kubernetes:core/v1:Service"
	deployment = "kubernetes:apps/v1:Deployment"
	job        = "kubernetes:batch/v1:Job"
	widget     = "kubernetes:example.com/v1:Widget"
)

func TestCreateStoresTheOfficialProvidersState(t *testing.T) {
	s := newStack(t, nil)
	r := s.up(configMap, "settings", s.in("settings", doc{"data": doc{"level": "info"}}))

	assert.Equal(t, s.namespace+"/settings", r.id)
	state := r.live(t)
	assert.Equal(t, doc{"level": "info"}, state["data"])
	assert.NotEmpty(t, state["metadata"].(doc)["uid"], "outputs are the live object")
	assert.Equal(t, "v1", state["__initialApiVersion"])
	assert.Regexp(t, `^pulumi-kubernetes-[0-9a-f]{8}$`, state["__fieldManager"])
	assert.Equal(t, doc{
		"apiVersion": "v1", "kind": "ConfigMap", "data": doc{"level": "info"},
		"metadata": doc{"name": "settings", "namespace": s.namespace},
	}, state["__inputs"])

	live, err := s.client.CoreV1().ConfigMaps(s.namespace).Get(t.Context(), "settings", metav1.GetOptions{})
	require.NoError(t, err)
	require.Len(t, live.ManagedFields, 1)
	assert.Equal(t, state["__fieldManager"], live.ManagedFields[0].Manager)
	assert.Equal(t, metav1.ManagedFieldsOperationApply, live.ManagedFields[0].Operation)
}

func TestUnnamedObjectsGetTheSameNameForTheSameSeed(t *testing.T) {
	s := newStack(t, map[string]string{"namespace": "default"})
	first := s.check(configMap, "settings", nil, doc{"data": doc{"a": "b"}})
	metadata := decode(t, first.GetInputs())["metadata"].Mappable().(doc)
	assert.Regexp(t, `^settings-[0-9a-f]{8}$`, metadata["name"])
	assert.Equal(t, "default", metadata["namespace"], "the provider's namespace is filled in")
	assert.Equal(t, doc{"pulumi.com/autonamed": "true"}, metadata["annotations"])

	again := s.check(configMap, "settings", nil, doc{"data": doc{"a": "b"}})
	assert.Equal(t, plainText(t, first.GetInputs()), plainText(t, again.GetInputs()))
	later := s.check(configMap, "settings", first.GetInputs(), doc{"data": doc{"a": "c"}})
	assert.Equal(t, metadata["name"], decode(t, later.GetInputs())["metadata"].Mappable().(doc)["name"],
		"an update keeps the generated name")
}

func TestUpdateChangesAndRemovesFields(t *testing.T) {
	s := newStack(t, map[string]string{"enableConfigMapMutable": "true"})
	r := s.up(configMap, "settings", s.in("settings", doc{"data": doc{"level": "info", "gone": "soon"}}))
	wanted := s.in("settings", doc{"data": doc{"level": "debug"}})

	change, _ := s.diff(r, configMap, wanted)
	assert.Equal(t, pulumirpc.DiffResponse_DIFF_SOME, change.GetChanges())
	assert.Empty(t, change.GetReplaces())
	assert.Equal(t, pulumirpc.PropertyDiff_UPDATE, change.GetDetailedDiff()["data.level"].GetKind())
	assert.Equal(t, pulumirpc.PropertyDiff_DELETE, change.GetDetailedDiff()["data.gone"].GetKind())

	updated, err := s.update(r, configMap, wanted, false)
	require.NoError(t, err)
	assert.Equal(t, doc{"level": "debug"}, updated.live(t)["data"])
	assert.Equal(t, r.live(t)["__fieldManager"], updated.live(t)["__fieldManager"], "the stored manager is kept")

	same, _ := s.diff(updated, configMap, wanted)
	assert.Equal(t, pulumirpc.DiffResponse_DIFF_NONE, same.GetChanges())
}

func TestCreateAfterAKilledUpdateOwnsItsFields(t *testing.T) {
	s := newStack(t, map[string]string{"enableConfigMapMutable": "true"})
	s.up(configMap, "settings", s.in("settings", doc{"data": doc{"level": "info", "gone": "soon"}}))
	// The state of that update was lost. The next one creates the resource again, as the program now wants
	// it.
	again := s.up(configMap, "settings", s.in("settings", doc{"data": doc{"level": "debug"}}))
	assert.Equal(t, doc{"level": "debug"}, again.live(t)["data"])
}

func TestImmutableDataReplacesDeletingFixedNamesFirst(t *testing.T) {
	s := newStack(t, nil)
	r := s.up(configMap, "settings", s.in("settings", doc{"data": doc{"level": "info"}}))
	change, inputs := s.diff(r, configMap, s.in("settings", doc{"data": doc{"level": "debug"}}))
	assert.Equal(t, []string{"data.level"}, change.GetReplaces())
	assert.Equal(t, pulumirpc.PropertyDiff_UPDATE_REPLACE, change.GetDetailedDiff()["data.level"].GetKind())
	assert.True(t, change.GetDeleteBeforeReplace())

	s.delete(r)
	response, err := s.provider.Create(t.Context(), &pulumirpc.CreateRequest{Urn: r.urn, Properties: inputs})
	require.NoError(t, err)
	replaced := &res{urn: r.urn, id: response.GetId(), inputs: inputs, state: response.GetProperties()}
	assert.Equal(t, doc{"level": "debug"}, replaced.live(t)["data"])
}

func TestDeleteIsIdempotent(t *testing.T) {
	s := newStack(t, nil)
	r := s.up(configMap, "settings", s.in("settings", doc{"data": doc{"a": "b"}}))
	s.delete(r)
	_, err := s.client.CoreV1().ConfigMaps(s.namespace).Get(t.Context(), "settings", metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err))
	s.delete(r)
}

func TestDeleteWaitsForFinalizersAndNamesThem(t *testing.T) {
	s := newStack(t, nil)
	held := s.in("held", doc{"data": doc{"a": "b"}})
	held["metadata"].(doc)["finalizers"] = []any{"example.com/hold"}
	r := s.up(configMap, "held", held)
	_, err := s.provider.Delete(t.Context(), &pulumirpc.DeleteRequest{
		Id: r.id, Urn: r.urn, Properties: r.state, Timeout: 1,
	})
	detail := initFailure(t, err)
	assert.Contains(t, detail.GetReasons()[0], s.namespace+"/held (v1 ConfigMap): still exists after")
	assert.Contains(t, detail.GetReasons()[1], "example.com/hold")

	_, err = s.client.CoreV1().ConfigMaps(s.namespace).Patch(t.Context(), "held", types.MergePatchType,
		[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	s.delete(r)
}

func TestRefreshShowsDriftAndOnlyDrift(t *testing.T) {
	s := newStack(t, nil)
	r := s.up(configMap, "settings", s.in("settings", doc{"data": doc{"level": "info"}}))
	assert.Equal(t, pulumirpc.DiffResponse_DIFF_NONE, s.drift(r).GetChanges())

	patch := func(body string) {
		_, err := s.client.CoreV1().ConfigMaps(s.namespace).Patch(t.Context(), "settings", types.MergePatchType,
			[]byte(body), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	patch(`{"metadata":{"annotations":{"somebody":"else"}},"data":{"other":"theirs"}}`)
	assert.Equal(t, pulumirpc.DiffResponse_DIFF_NONE, s.drift(r).GetChanges(), "fields of others are no drift")
	patch(`{"data":{"level":"debug"}}`)
	drift := s.drift(r)
	assert.Equal(t, pulumirpc.DiffResponse_DIFF_SOME, drift.GetChanges())
	assert.Contains(t, drift.GetDetailedDiff(), "data.level")

	s.delete(r)
	read, err := s.read(r)
	require.NoError(t, err)
	assert.Empty(t, read.GetId(), "what is gone leaves the state")
}

func TestImportNeedsNoPriorState(t *testing.T) {
	s := newStack(t, nil)
	r := s.up(configMap, "settings", s.in("settings", doc{"data": doc{"level": "info"}}))
	read, err := s.provider.Read(t.Context(), &pulumirpc.ReadRequest{Id: r.id, Urn: r.urn})
	require.NoError(t, err)
	inputs := object.FromProperties(decode(t, read.GetInputs())).Object
	assert.Equal(t, doc{
		"apiVersion": "v1", "kind": "ConfigMap", "data": doc{"level": "info"},
		"metadata": doc{"name": "settings", "namespace": s.namespace},
	}, inputs)
	imported := &res{urn: r.urn, id: read.GetId(), inputs: read.GetInputs(), state: read.GetProperties()}
	change, _ := s.diff(imported, configMap, s.in("settings", doc{"data": doc{"level": "info"}}))
	assert.Equal(t, pulumirpc.DiffResponse_DIFF_NONE, change.GetChanges())
}

func TestImportOfDefaultedObjectsIsUnchanged(t *testing.T) {
	s := newStack(t, nil)
	ports := doc{"spec": doc{"ports": []any{doc{"port": 80, "targetPort": "http"}}}}
	for token, made := range map[string]*res{
		deployment: s.up(deployment, "api", s.in("api", deploymentSpec("api", "example.com/api:1", 0))),
		service:    s.up(service, "api", s.in("api", ports)),
	} {
		read, err := s.provider.Read(t.Context(), &pulumirpc.ReadRequest{Id: made.id, Urn: made.urn})
		require.NoError(t, err)
		imported := &res{urn: made.urn, id: made.id, inputs: read.GetInputs(), state: read.GetProperties()}
		program := object.FromProperties(decode(t, read.GetInputs())).Object
		change, _ := s.diff(imported, token, program)
		assert.Empty(t, change.GetDetailedDiff(), token)
	}
}

func TestUpdateTakesOverWhatKubectlMade(t *testing.T) {
	s := newStack(t, map[string]string{"enableConfigMapMutable": "true"})
	_, err := s.client.CoreV1().ConfigMaps(s.namespace).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"level": "info", "gone": "soon"},
	}, metav1.CreateOptions{FieldManager: "kubectl-create"})
	require.NoError(t, err)
	id := s.namespace + "/settings"
	read, err := s.provider.Read(t.Context(), &pulumirpc.ReadRequest{Id: id, Urn: urnOf(configMap, "settings")})
	require.NoError(t, err)
	r := &res{urn: urnOf(configMap, "settings"), id: id, inputs: read.GetInputs(), state: read.GetProperties()}
	wanted := s.in("settings", doc{"data": doc{"level": "debug"}})
	preview, err := s.update(r, configMap, wanted, true)
	require.NoError(t, err)
	assert.Equal(t, "debug", preview.live(t)["data"].(doc)["level"])
	updated, err := s.update(r, configMap, wanted, false)
	require.NoError(t, err)
	assert.Equal(t, doc{"level": "debug"}, updated.live(t)["data"], "what kubectl set and the program drops is gone")
}

func TestSpellingIsNoDifference(t *testing.T) {
	s := newStack(t, nil)
	spelled := func(cpu string) doc {
		return s.in("api", doc{"spec": doc{
			"replicas": 0,
			"selector": doc{"matchLabels": doc{"app": "api"}},
			"template": doc{
				"metadata": doc{"labels": doc{"app": "api"}},
				"spec": doc{"containers": []any{doc{
					"name": "api", "image": "example.com/api:1", "resources": doc{"requests": doc{"cpu": cpu}},
				}}},
			},
		}})
	}
	r := s.up(deployment, "api", spelled("0.5"))
	change, _ := s.diff(r, deployment, spelled("500m"))
	assert.Equal(t, pulumirpc.DiffResponse_DIFF_NONE, change.GetChanges())
	assert.Equal(t, pulumirpc.DiffResponse_DIFF_NONE, s.drift(r).GetChanges())
}

func TestSelectorChangeReplacesDeployment(t *testing.T) {
	s := newStack(t, nil)
	labelled := func(app string) doc { return s.in("api", deploymentSpec(app, "example.com/api:1", 0)) }
	r := s.up(deployment, "api", labelled("api"))
	change, _ := s.diff(r, deployment, labelled("other"))
	assert.Equal(t, []string{"spec.selector.matchLabels.app"}, change.GetReplaces())
	assert.True(t, change.GetDeleteBeforeReplace())
}

func deploymentSpec(app, image string, replicas int) doc {
	return doc{"spec": doc{
		"replicas": replicas,
		"selector": doc{"matchLabels": doc{"app": app}},
		"template": doc{
			"metadata": doc{"labels": doc{"app": app}},
			"spec":     doc{"containers": []any{doc{"name": "main", "image": image}}},
		},
	}}
}

func TestIgnoredReplicasKeepTheAutoscalersValue(t *testing.T) {
	s := newStack(t, nil)
	paused := deploymentSpec("api", "example.com/api:1", 1)
	paused["spec"].(doc)["paused"] = true
	r := s.up(deployment, "api", s.in("api", paused))
	_, err := s.client.AppsV1().Deployments(s.namespace).Patch(t.Context(), "api", types.MergePatchType,
		[]byte(`{"spec":{"replicas":5}}`), metav1.PatchOptions{FieldManager: "autoscaler"})
	require.NoError(t, err)

	paused["metadata"] = doc{"name": "api", "namespace": s.namespace, "labels": doc{"changed": "yes"}}
	checked := s.check(deployment, "api", r.inputs, paused)
	response, err := s.provider.Update(t.Context(), &pulumirpc.UpdateRequest{
		Id: r.id, Urn: r.urn, Olds: r.state, News: checked.GetInputs(), IgnoreChanges: []string{"spec.replicas"},
	})
	require.NoError(t, err)
	live := object.FromProperties(decode(t, response.GetProperties())).Object
	assert.EqualValues(t, 5, live["spec"].(doc)["replicas"])
	assert.Equal(t, doc{"changed": "yes"}, live["metadata"].(doc)["labels"])
	for _, entry := range live["metadata"].(doc)["managedFields"].([]any) {
		if fields := entry.(doc); fields["manager"] != "autoscaler" {
			assert.NotContains(t, plainText(t, fields), "f:replicas", "the autoscaler is the only owner")
		}
	}
}

func TestPreviewAsksTheServerAndChangesNothing(t *testing.T) {
	s := newStack(t, nil)
	checked := s.check(service, "api", nil, s.in("api", doc{"spec": doc{"ports": []any{doc{"port": 80}}}}))
	preview, err := s.provider.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: urnOf(service, "api"), Properties: checked.GetInputs(), Preview: true,
	})
	require.NoError(t, err)
	predicted := object.FromProperties(decode(t, preview.GetProperties())).Object
	assert.Equal(t, "ClusterIP", predicted["spec"].(doc)["type"], "the server's defaults are known in preview")
	assert.NotContains(t, predicted, "status")
	_, err = s.client.CoreV1().Services(s.namespace).Get(t.Context(), "api", metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err))
}

func TestPreviewOfUpdatesAndReplacements(t *testing.T) {
	s := newStack(t, map[string]string{"enableConfigMapMutable": "true"})
	r := s.up(configMap, "settings", s.in("settings", doc{"data": doc{"level": "info"}}))
	preview, err := s.update(r, configMap, s.in("settings", doc{"data": doc{"level": "debug"}}), true)
	require.NoError(t, err)
	assert.Equal(t, doc{"level": "debug"}, preview.live(t)["data"])
	live, err := s.client.CoreV1().ConfigMaps(s.namespace).Get(t.Context(), "settings", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, "info", live.Data["level"])

	s.playKubelet(s.podsSucceed)
	s.up(job, "migrate", s.in("migrate", jobSpec()))
	changed := jobSpec()
	changed["spec"].(doc)["template"].(doc)["metadata"] = doc{"labels": doc{"changed": "yes"}}
	checked := s.check(job, "migrate", nil, s.in("migrate", changed))
	replacement, err := s.provider.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: urnOf(job, "migrate"), Properties: checked.GetInputs(), Preview: true,
	})
	require.NoError(t, err, "the object to be replaced still has the name")
	assert.Equal(t, "migrate", decode(t, replacement.GetProperties())["metadata"].Mappable().(doc)["name"])
}

func TestPreviewPassesThroughWhatCannotBeKnown(t *testing.T) {
	s := newStack(t, nil)
	unknown := resource.MakeComputed(resource.NewStringProperty(""))
	cases := map[string]struct {
		token  string
		inputs doc
	}{
		"unknown value": {configMap, s.in("a", doc{"data": doc{"a": unknown}})},
		"namespace of the same update": {configMap, doc{
			"metadata": doc{"name": "a", "namespace": "not-yet"}, "data": doc{"a": "b"},
		}},
		"kind of the same update": {
			"kubernetes:later.example.com/v1:Gadget",
			s.in("a", doc{"spec": doc{"a": "b"}}),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			checked := s.check(c.token, "a", nil, c.inputs)
			response, err := s.provider.Create(t.Context(), &pulumirpc.CreateRequest{
				Urn: urnOf(c.token, "a"), Properties: checked.GetInputs(), Preview: true,
			})
			require.NoError(t, err)
			assert.Equal(t, plainText(t, checked.GetInputs()), plainText(t, response.GetProperties()))
		})
	}
}
