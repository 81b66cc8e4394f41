package object

import (
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(text), &obj.Object))
	return obj
}

func TestNormalize(t *testing.T) {
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, "
	definition := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"
	cases := map[string]struct{ give, want string }{
		"quantity": {
			pod + "resources: {limits: {cpu: 0.5}}}]}",
			pod + "resources: {limits: {cpu: 500m}}}]}",
		},
		"unknown field kept": {pod + "imag: x}]}", pod + "imag: x}]}"},
		"wrong type kept":    {pod + "ports: 80}]}", pod + "ports: 80}]}"},
		"custom resource kept": {
			"apiVersion: example.com/v1\nkind: W\nspec: {cpu: 0.5}",
			"apiVersion: example.com/v1\nkind: W\nspec: {cpu: 0.5}",
		},
		"string data": {secret + "data: {a: YQ==}\nstringData: {b: b}", secret + "data: {a: YQ==, b: Yg==}"},
		"read-only metadata": {
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, uid: b, resourceVersion: '3', generation: 1}",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}",
		},
		"definition": {
			definition + "spec: {preserveUnknownFields: false}\nstatus: {}",
			definition + "spec: {}",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			given := parse(t, c.give)
			assert.Equal(t, parse(t, c.want).Object, Normalize(given).Object)
			assert.Equal(t, parse(t, c.give).Object, given.Object, "the argument is left alone")
		})
	}
}

func TestNormalizeLeavesUnknownValues(t *testing.T) {
	unknown := resource.Computed{Element: resource.NewStringProperty("")}
	obj := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "stringData": map[string]any{"a": unknown},
	}}
	assert.True(t, HasUnknowns(obj))
	assert.Equal(t, obj.Object, Normalize(obj).Object)
}

func TestPrune(t *testing.T) {
	cases := map[string]struct{ live, inputs, want string }{
		"others' fields go":     {"{a: 1, b: 2, c: {d: 3, e: 4}}", "{a: 0, c: {d: 0}}", "{a: 1, c: {d: 3}}"},
		"removed field is gone": {"{a: 1}", "{a: 1, b: 2}", "{a: 1}"},
		"list paired by name": {
			"{l: [{name: injected}, {name: x, v: 2, w: 3}]}", "{l: [{name: x, v: 1}]}", "{l: [{name: x, v: 2}]}",
		},
		"element renamed":         {"{l: [{name: w}]}", "{l: [{name: x}]}", "{l: []}"},
		"list paired by position": {"{l: [{v: 2, w: 3}, {v: 4}]}", "{l: [{v: 1}]}", "{l: [{v: 2}]}"},
		"scalars are one value":   {"{l: [a, b, c]}", "{l: [a]}", "{l: [a, b, c]}"},
		"empty live list":         {"{l: []}", "{l: [{v: 1}]}", "{l: []}"},
		"type changed":            {"{a: [1]}", "{a: {b: 1}}", "{a: [1]}"},
		"null elements":           {"{l: [null]}", "{l: [null]}", "{l: [null]}"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, parse(t, c.want).Object, Prune(parse(t, c.live), parse(t, c.inputs)).Object)
		})
	}
}

func TestCheckpointRoundTrip(t *testing.T) {
	inputs := parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: y}")
	live := parse(t, `{apiVersion: v1, kind: ConfigMap, data: {x: y}, metadata: {name: a, namespace: b, uid: c,
		annotations: {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}}`)
	checkpoint := Checkpoint{Inputs: inputs, Live: live, InitialAPIVersion: "v1", FieldManager: "m"}
	state := checkpoint.Properties(resource.NewPropertyMapFromMap(inputs.Object))

	parsedInputs, parsedLive := ParseState(state)
	assert.Equal(t, inputs.Object, parsedInputs.Object)
	assert.Equal(t, "c", string(parsedLive.GetUID()))
	assert.NotContains(t, parsedLive.Object, "__fieldManager")
	assert.Empty(t, parsedLive.GetAnnotations(), "the last applied configuration holds everything in clear")
	assert.Equal(t, "m", FieldManager("urn", inputs, state), "the stored manager is used again")
	assert.Equal(t, "v1", InitialAPIVersion(state, parse(t, "apiVersion: v2")))
}

func TestDashesOfSchemaExtensions(t *testing.T) {
	properties := resource.NewPropertyMapFromMap(map[string]any{"x_kubernetes_list_type": "map"})
	obj := FromProperties(properties)
	assert.Equal(t, map[string]any{"x-kubernetes-list-type": "map"}, obj.Object)
	assert.Equal(t, properties, ToProperties(obj))
}

func TestIDs(t *testing.T) {
	for id, want := range map[string][2]string{"a/b": {"a", "b"}, "b": {"", "b"}} {
		namespace, name, err := ParseID(id)
		require.NoError(t, err)
		assert.Equal(t, want, [2]string{namespace, name})
	}
	for _, id := range []string{"", "a/", "a/b/c"} {
		_, _, err := ParseID(id)
		assert.Error(t, err, id)
	}
}

func TestKindOf(t *testing.T) {
	for token, want := range map[string]schema.GroupVersionKind{
		"kubernetes:core/v1:Secret":                {Version: "v1", Kind: "Secret"},
		"kubernetes:apps/v1:Deployment":            {Group: "apps", Version: "v1", Kind: "Deployment"},
		"kubernetes:postgresql.cnpg.io/v1:Cluster": {Group: "postgresql.cnpg.io", Version: "v1", Kind: "Cluster"},
	} {
		got, err := KindOf(resource.URN("urn:pulumi:s::p::" + token + "::name"))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := KindOf("urn:pulumi:s::p::aws:s3/bucket:Bucket::name")
	assert.ErrorContains(t, err, "no Kubernetes kind")
}

func TestTimeout(t *testing.T) {
	annotated := parse(t, `metadata: {annotations: {pulumi.com/timeoutSeconds: "30"}}`)
	plain := parse(t, "{}")
	cases := map[string]struct {
		obj    *unstructured.Unstructured
		custom float64
		want   time.Duration
	}{
		"default": {plain, 0, time.Hour}, "annotation": {annotated, 0, 30 * time.Second},
		"customTimeouts wins": {annotated, 90, 90 * time.Second},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Timeout(c.obj, c.custom, time.Hour)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
	_, err := Timeout(parse(t, `metadata: {annotations: {pulumi.com/timeoutSeconds: "-1"}}`), 0, time.Hour)
	assert.ErrorContains(t, err, `"-1"`)
}

func TestAssignName(t *testing.T) {
	request := &pulumirpc.CheckRequest{
		Urn:        "urn:pulumi:s::p::kubernetes:core/v1:Secret::db",
		RandomSeed: []byte("x"),
	}
	unnamed := parse(t, "kind: Secret")
	require.NoError(t, AssignName(unnamed, request))
	assert.Regexp(t, "^db-[0-9a-f]{8}$", Name(unnamed))
	named := parse(t, "metadata: {name: fixed}")
	require.NoError(t, AssignName(named, request))
	assert.Equal(t, "fixed", Name(named))
	assert.Empty(t, named.GetAnnotations())

	request.Autonaming = &pulumirpc.CheckRequest_AutonamingOptions{
		Mode: pulumirpc.CheckRequest_AutonamingOptions_ENFORCE, ProposedName: "proposed",
	}
	proposed := parse(t, "kind: Secret")
	require.NoError(t, AssignName(proposed, request))
	assert.Equal(t, "proposed", Name(proposed))
	request.Autonaming.Mode = pulumirpc.CheckRequest_AutonamingOptions_DISABLE
	assert.ErrorContains(t, AssignName(parse(t, "kind: Secret"), request), "set metadata.name")
}
