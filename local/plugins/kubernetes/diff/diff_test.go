package diff

import (
	"maps"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(text), &obj.Object))
	return obj
}

func TestCompare(t *testing.T) {
	const (
		deployment = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, "
		configMap  = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, "
		secret     = "{apiVersion: v1, kind: Secret, metadata: {name: a}, "
		service    = "{apiVersion: v1, kind: Service, metadata: {name: a}, "
		pod        = "{apiVersion: v1, kind: Pod, metadata: {name: a}, "
		job        = "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, "
		custom     = "{apiVersion: example.com/v1, kind: W, metadata: {name: a}, "
	)
	mutable := Options{ConfigMapMutable: true, SecretMutable: true}
	cases := map[string]struct {
		old, updated      string
		options           Options
		changes, replaces []string
	}{
		"nothing": {old: deployment + "}", updated: deployment + "}"},
		"in place": {old: deployment + "spec: {replicas: 1}}", updated: deployment + "spec: {replicas: 2}}",
			changes: []string{"spec.replicas"}},
		"name": {old: custom + "}", updated: "{apiVersion: example.com/v1, kind: W, metadata: {name: b}}",
			changes: []string{"metadata.name"}, replaces: []string{"metadata.name"}},
		"selector added": {
			old:      deployment + "}",
			updated:  deployment + "spec: {selector: {matchLabels: {a: b}}}}",
			changes:  []string{"spec"},
			replaces: []string{"spec"},
		},
		"label of selector": {old: deployment + "spec: {selector: {matchLabels: {a: b}}}}",
			updated: deployment + "spec: {selector: {matchLabels: {a: c}}}}",
			changes: []string{"spec.selector.matchLabels.a"}, replaces: []string{"spec.selector.matchLabels.a"}},
		"job template": {
			old:      job + "spec: {template: {spec: {a: 1}}}}",
			updated:  job + "spec: {template: {spec: {a: 2}}}}",
			changes:  []string{"spec.template.spec.a"},
			replaces: []string{"spec.template.spec.a"},
		},
		"job deadline": {
			old:     job + "spec: {activeDeadlineSeconds: 1}}",
			updated: job + "spec: {activeDeadlineSeconds: 2}}",
			changes: []string{"spec.activeDeadlineSeconds"},
		},
		"cluster address": {
			old:      service + "spec: {clusterIP: None}}",
			updated:  service + "spec: {clusterIP: 10.0.0.1}}",
			changes:  []string{"spec.clusterIP"},
			replaces: []string{"spec.clusterIP"},
		},
		"pod command": {old: pod + "spec: {containers: [{name: a, command: [x]}]}}",
			updated: pod + "spec: {containers: [{name: a, command: [y]}]}}",
			changes: []string{
				"spec.containers[0].command[0]",
			}, replaces: []string{"spec.containers[0].command[0]"}},
		"pod container added": {old: pod + "spec: {containers: [{name: a}]}}",
			updated: pod + "spec: {containers: [{name: a}, {name: b}]}}",
			changes: []string{"spec.containers[1]"}, replaces: []string{"spec.containers[1]"}},
		"pod deadline": {
			old:     pod + "spec: {activeDeadlineSeconds: 1}}",
			updated: pod + "spec: {activeDeadlineSeconds: 2}}",
			changes: []string{"spec.activeDeadlineSeconds"},
		},
		"config map": {old: configMap + "data: {a: b}}", updated: configMap + "data: {a: c}}",
			changes: []string{"data.a"}, replaces: []string{"data.a"}},
		"mutable config map": {
			old:     configMap + "data: {a: b}}",
			updated: configMap + "data: {a: c}}",
			options: mutable,
			changes: []string{"data.a"},
		},
		"immutable config map": {old: configMap + "immutable: true, data: {a: b}}",
			updated: configMap + "immutable: true, data: {a: c}}", options: mutable,
			changes: []string{"data.a"}, replaces: []string{"data.a"}},
		"secret": {old: secret + "data: {a: b}}", updated: secret + "data: {a: c}}",
			changes: []string{"data.a"}, replaces: []string{"data.a"}},
		"mutable secret": {old: secret + "data: {a: b}}", updated: secret + "data: {a: c}}", options: mutable,
			changes: []string{"data.a"}},
		"secret type": {old: secret + "type: a}", updated: secret + "type: b}", options: mutable,
			changes: []string{"type"}, replaces: []string{"type"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			result, err := Compare(parse(t, c.old), parse(t, c.updated), c.options)
			require.NoError(t, err)
			assert.Equal(t, c.changes, slices.Sorted(maps.Keys(result.Detailed)))
			assert.Equal(t, c.replaces, result.Replaces)
			for path, change := range result.Detailed {
				assert.Equal(t, slices.Contains(c.replaces, path), change.Kind.IsReplace(), path)
				assert.True(t, change.InputDiff)
			}
		})
	}
}

func TestUnknownIsAChange(t *testing.T) {
	old := parse(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: b}}")
	updated := old.DeepCopy()
	updated.Object["data"] = map[string]any{"a": resource.Computed{Element: resource.NewStringProperty("")}}
	result, err := Compare(old, updated, Options{})
	require.NoError(t, err)
	assert.Equal(t, plugin.DiffUpdateReplace, result.Detailed["data.a"].Kind)
}

func TestDeleteBeforeReplaceNeedsTheSameFixedName(t *testing.T) {
	base := "{apiVersion: v1, kind: ConfigMap, data: {a: b}, metadata: "
	cases := map[string]struct {
		old, updated string
		want         bool
	}{
		"fixed name":      {"{name: a, namespace: n}", "{name: a, namespace: n}", true},
		"other name":      {"{name: a, namespace: n}", "{name: b, namespace: n}", false},
		"other namespace": {"{name: a, namespace: n}", "{name: a, namespace: m}", false},
		"generated name":  {"{name: a}", `{name: a, annotations: {pulumi.com/autonamed: "true"}}`, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			old, updated := parse(t, base+c.old+"}"), parse(t, base+c.updated+"}")
			updated.Object["data"] = map[string]any{"a": "changed"}
			result, err := Compare(old, updated, Options{})
			require.NoError(t, err)
			assert.NotEmpty(t, result.Replaces)
			assert.Equal(t, c.want, result.DeleteBeforeReplace)
		})
	}
}
