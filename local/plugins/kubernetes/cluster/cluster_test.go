package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const kubeconfig = `
apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: one, user: me, namespace: here}}
- {name: two, context: {cluster: two, user: me}}
clusters:
- {name: one, cluster: {server: "https://one.example.com"}}
- {name: two, cluster: {server: "https://two.example.com"}}
users: [{name: me, user: {token: hunter2}}]
`

func TestTargetConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(file, []byte(kubeconfig), 0o600))
	cases := map[string]struct {
		target          Target
		host, namespace string
	}{
		"contents": {Target{Kubeconfig: kubeconfig}, "https://one.example.com", "here"},
		"file":     {Target{Kubeconfig: file}, "https://one.example.com", "here"},
		"list of files": {
			Target{Kubeconfig: file + ":" + file + ".absent"},
			"https://one.example.com",
			"here",
		},
		"context": {
			Target{Kubeconfig: kubeconfig, Context: "two"},
			"https://two.example.com",
			"default",
		},
		"cluster": {Target{Kubeconfig: kubeconfig, Cluster: "two"}, "https://two.example.com", "here"},
		"provider namespace": {
			Target{Kubeconfig: kubeconfig, Namespace: "there"},
			"https://one.example.com",
			"there",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			config, namespace, err := c.target.Config()
			require.NoError(t, err)
			assert.Equal(t, c.host, config.Host)
			assert.Equal(t, c.namespace, namespace)
		})
	}
	for name, c := range map[string]struct{ kubeconfig, context, want string }{
		"absent file":     {kubeconfig: file + ".absent", want: "no such file"},
		"unknown context": {kubeconfig: kubeconfig, context: "three", want: `context "three" does not exist`},
		"no kubeconfig":   {kubeconfig: "{not: [yaml", want: "neither YAML nor JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Target{Kubeconfig: c.kubeconfig, Context: c.context}.Config()
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestSameCluster(t *testing.T) {
	one := Target{Kubeconfig: kubeconfig}
	assert.True(t, SameCluster(one, Target{Kubeconfig: kubeconfig, Context: "one", Namespace: "x"}))
	assert.False(t, SameCluster(one, Target{Kubeconfig: kubeconfig, Context: "two"}))
	assert.True(t, SameCluster(one, Target{Kubeconfig: "/absent"}), "what cannot be read plans no replacement")
}

func TestExplain(t *testing.T) {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"})
	obj.SetNamespace("ai-agent")
	obj.SetName("api")
	const subject = "ai-agent/api (apps/v1 Deployment): "
	kind := schema.GroupKind{Group: "apps", Kind: "Deployment"}
	resource := schema.GroupResource{Group: "apps", Resource: "deployments"}
	conflict := apierrors.NewApplyConflict([]metav1.StatusCause{{
		Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.replicas", Message: `conflict with "hpa"`,
	}}, "Apply failed")
	cases := map[string]struct {
		err  error
		want string
	}{
		"unknown kind": {&meta.NoKindMatchError{GroupKind: kind}, "does not know kind Deployment of apps/v1"},
		"conflict": {
			conflict,
			`another field manager owns spec.replicas (conflict with "hpa"): leave those fields out`,
		},
		"namespace": {apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "ai-agent"),
			`namespace "ai-agent" does not exist`},
		"undeclared fields": {
			errors.New("failed to create typed patch object (ai-agent/api; apps/v1, Kind=Deployment): " +
				"errors:\n  .spec.imag: field not declared in schema\n  .spec.x: field not declared in schema"),
			`strict decoding error: unknown field "spec.imag", unknown field "spec.x"`,
		},
		"typed patch": {
			errors.New("failed to create typed patch object (a/b; apps/v1, Kind=Deployment): .spec.replicas: " +
				"expected numeric"),
			".spec.replicas: expected numeric",
		},
		"other": {apierrors.NewForbidden(resource, "api", errors.New("quota")), "quota"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := Explain(obj, c.err).Error()
			assert.Contains(t, got, c.want)
			assert.Equal(t, subject, got[:len(subject)])
			assert.NotContains(t, got, "typed patch object")
		})
	}
	assert.NoError(t, Explain(obj, nil))
}
