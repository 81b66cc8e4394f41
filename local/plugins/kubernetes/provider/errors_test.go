package provider

import (
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"agentstack/local/plugins/kubernetes/cluster"
	"agentstack/local/plugins/kubernetes/engine"
	"agentstack/local/plugins/kubernetes/object"
)

func TestStrictErrorsNameTheObjectAndTheField(t *testing.T) {
	s := newStack(t, nil)
	misspelled := deploymentSpec("api", "example.com/api:1", 0)
	misspelled["spec"].(doc)["template"].(doc)["spec"].(doc)["containers"].([]any)[0].(doc)["imag"] = "x"
	tooMany := deploymentSpec("api", "example.com/api:1", 0)
	tooMany["spec"].(doc)["replicas"] = "three"
	cases := map[string]struct {
		token, kind, want string
		inputs            doc
	}{
		"built-in kind": {
			deployment,
			"apps/v1 Deployment",
			`strict decoding error: unknown field "spec.template.spec.containers[name="main"].imag"`,
			misspelled,
		},
		"wrong type": {
			deployment,
			"apps/v1 Deployment",
			`.spec.replicas: expected numeric (int or float), got string`,
			tooMany,
		},
		"custom kind": {
			widget,
			"example.com/v1 Widget",
			`unknown field "spec.colour"`,
			doc{"spec": doc{"colour": "red"}},
		},
		"invalid value": {
			service,
			"v1 Service",
			`spec.ports[0].port: Invalid value: 700000`,
			doc{"spec": doc{"ports": []any{doc{"port": 700000}}}},
		},
		"missing secret": {secret, "v1 Secret", `illegal base64 data`, doc{"data": doc{"a": "%"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := s.tryUp(c.token, "x", s.in("x", c.inputs), time.Second)
			require.Error(t, err)
			assert.True(t, strings.HasPrefix(err.Error(), s.namespace+"/x ("+c.kind+"): "), err.Error())
			assert.Contains(t, err.Error(), c.want)

			checked := s.check(c.token, "x", nil, s.in("x", c.inputs))
			_, err = s.provider.Create(t.Context(), &pulumirpc.CreateRequest{
				Urn: urnOf(c.token, "x"), Properties: checked.GetInputs(), Preview: true,
			})
			require.Error(t, err, "a preview refuses it too")
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

// tryOnce makes the provider give up on a missing namespace or kind at once.
func (s *stack) tryOnce() {
	s.Helper()
	client, err := cluster.New(s.Context(), server.Config, cluster.Options{CreateAttempts: 1})
	require.NoError(s, err)
	s.provider.client = client
}

func TestUnknownKindSaysWhatToInstall(t *testing.T) {
	s := newStack(t, nil)
	s.tryOnce()
	_, err := s.tryUp("kubernetes:later.example.com/v1:Gadget", "g", s.in("g", doc{}), time.Second)
	require.Error(t, err)
	assert.Equal(t, s.namespace+"/g (later.example.com/v1 Gadget): the API server does not know kind Gadget of "+
		"later.example.com/v1: install its CustomResourceDefinition first, or correct the apiVersion", err.Error())
}

func TestPreviewWarnsOnceOfAMissingOperator(t *testing.T) {
	s := newStack(t, nil)
	const token = "kubernetes:postgresql.cnpg.io/v1:Cluster"
	for _, name := range []string{"one", "two"} {
		checked := s.check(token, name, nil, s.in(name, doc{}))
		_, err := s.provider.Create(t.Context(), &pulumirpc.CreateRequest{
			Urn: urnOf(token, name), Properties: checked.GetInputs(), Preview: true,
		})
		require.NoError(t, err)
	}
	want := "unless this update brings its kind: " + s.namespace + "/one (postgresql.cnpg.io/v1 Cluster): the API " +
		"server does not know kind Cluster of postgresql.cnpg.io/v1: install the operator CloudNativePG, which " +
		"defines it, first, or correct the apiVersion"
	assert.Equal(t, []string{want}, s.host.messages)
}

func TestKindDefinedMeanwhileIsFound(t *testing.T) {
	s, other := newStack(t, nil), newStack(t, nil)
	created := make(chan error, 1)
	go func() {
		_, err := s.tryUp("kubernetes:same.example.com/v1:Sprocket", "sp", s.in("sp", doc{}), time.Minute)
		created <- err
	}()
	eventually(
		t,
		func() bool { return strings.Contains(s.host.text(), "does not know kind Sprocket") },
		"it tries",
	)
	crd := other.up("kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition", "sprockets", doc{
		"metadata": doc{"name": "sprockets.same.example.com"},
		"spec": doc{
			"group": "same.example.com", "scope": "Namespaced",
			"names": doc{"kind": "Sprocket", "plural": "sprockets", "singular": "sprocket"},
			"versions": []any{doc{
				"name": "v1", "served": true, "storage": true,
				"schema": doc{
					"openAPIV3Schema": doc{"type": "object", "x_kubernetes_preserve_unknown_fields": true},
				},
			}},
		},
	})
	require.NoError(t, <-created)
	schema := crd.live(t)["spec"].(doc)["versions"].([]any)[0].(doc)["schema"].(doc)["openAPIV3Schema"].(doc)
	assert.Equal(t, true, schema["x-kubernetes-preserve-unknown-fields"])
	other.delete(crd)
}

func TestConflictNamesTheManagerAndTheFields(t *testing.T) {
	s := newStack(t, nil)
	s.up(configMap, "mine", s.in("shared", doc{"data": doc{"level": "info"}}))
	_, err := s.tryUp(configMap, "theirs", s.in("shared", doc{"data": doc{"level": "debug"}}), time.Second)
	require.Error(t, err)
	assert.Regexp(t, `/shared \(v1 ConfigMap\): another field manager owns data\.level \(conflict with `+
		`"pulumi-kubernetes-[0-9a-f]{8}"\): .*pulumi\.com/patchForce`, err.Error())

	forced := s.in("shared", doc{"data": doc{"level": "debug"}})
	forced["metadata"].(doc)["annotations"] = doc{"pulumi.com/patchForce": "true"}
	r := s.up(configMap, "theirs", forced)
	assert.Equal(t, doc{"level": "debug"}, r.live(t)["data"])
}

func TestMissingNamespaceIsNamed(t *testing.T) {
	s := newStack(t, nil)
	s.tryOnce()
	_, err := s.tryUp(configMap, "a", doc{"metadata": doc{"name": "a", "namespace": "absent"}}, time.Second)
	require.Error(t, err)
	assert.Equal(
		t,
		`absent/a (v1 ConfigMap): namespace "absent" does not exist: create it, or make this resource `+
			`depend on it`,
		err.Error(),
	)
}

func TestSecretsNeverLeak(t *testing.T) {
	s := newStack(t, nil)
	hidden := func(text string) resource.PropertyValue {
		return resource.MakeSecret(resource.NewStringProperty(text))
	}
	const password = "correct-horse"
	const encoded = "Y29ycmVjdC1ob3JzZQ=="
	r := s.up(secret, "credentials", s.in("credentials", doc{"stringData": doc{
		"password": hidden(password), "username": "agent",
	}}))
	for name, properties := range map[string]resource.PropertyMap{
		"inputs": decode(t, r.inputs), "state": decode(t, r.state),
		"stored inputs": decode(t, r.state)["__inputs"].ObjectValue(),
	} {
		assert.True(t, properties["data"].IsSecret(), "%s: data is secret as a whole", name)
		assert.False(t, properties["stringData"].HasValue(), name)
	}
	read, err := s.read(r)
	require.NoError(t, err)
	assert.True(t, decode(t, read.GetProperties())["data"].IsSecret())
	assert.True(t, decode(t, read.GetInputs())["data"].IsSecret())

	env := deploymentSpec("api", "example.com/api:1", 0)
	container := env["spec"].(doc)["template"].(doc)["spec"].(doc)["containers"].([]any)[0].(doc)
	container["env"] = []any{doc{"name": "PASSWORD", "value": hidden(password)}}
	api := s.up(deployment, "api", s.in("api", env))
	spec := decode(t, api.state)["spec"].ObjectValue()["template"].ObjectValue()["spec"].ObjectValue()
	assert.True(t, spec["containers"].IsSecret(), "a secret input makes the same output secret")

	_, err = s.tryUp(service, "bad", s.in("bad", doc{"spec": doc{
		"type": hidden(password), "ports": []any{doc{"port": 80}},
	}}), time.Second)
	require.Error(t, err)
	assert.Contains(t, err.Error(), "[secret]")
	for _, text := range []string{err.Error(), s.host.text()} {
		assert.NotContains(t, text, password)
		assert.NotContains(t, text, encoded)
	}
}

func TestUnreachableClusterIsOneClearLine(t *testing.T) {
	s := newStack(t, nil)
	r := s.up(configMap, "settings", s.in("settings", doc{"data": doc{"a": "b"}}))
	shown := &host{}
	away := New(engine.NewLog(shown, strings.TrimSpace), &object.Redactor{})
	configure(t, away, nowhere, map[string]string{"context": "b"})
	_, err := away.Create(t.Context(), &pulumirpc.CreateRequest{Urn: r.urn, Properties: r.inputs})
	require.Error(t, err)
	assert.Regexp(
		t,
		`^create .*/settings \(v1 ConfigMap\): the Kubernetes cluster is unreachable: `+
			`context "b" at https://127\.0\.0\.1:2: dial tcp 127\.0\.0\.1:2: connect: connection refused: `+
			`start the cluster, or correct the provider's kubeconfig and context$`,
		err.Error(),
	)

	for range 2 {
		preview, err := away.Create(t.Context(), &pulumirpc.CreateRequest{
			Urn: r.urn, Properties: r.inputs, Preview: true,
		})
		require.NoError(t, err, "a preview works without the cluster")
		assert.Equal(t, plainText(t, r.inputs), plainText(t, preview.GetProperties()))
	}
	require.Len(t, shown.messages, 1, "one warning a provider")
	assert.Contains(t, shown.messages[0], `the preview shows inputs only: the Kubernetes cluster is`)

	_, err = away.Delete(t.Context(), &pulumirpc.DeleteRequest{Id: r.id, Urn: r.urn, Properties: r.state})
	assert.ErrorContains(t, err, "PULUMI_K8S_DELETE_UNREACHABLE=true")
	forgetting := newUnreachable(t, map[string]string{"deleteUnreachable": "true"})
	_, err = forgetting.Delete(t.Context(), &pulumirpc.DeleteRequest{Id: r.id, Urn: r.urn, Properties: r.state})
	assert.NoError(t, err)
}

func TestPodSecurityIsExplained(t *testing.T) {
	s := newStack(t, nil)
	label := func(mode string) {
		_, err := s.client.CoreV1().Namespaces().Patch(t.Context(), s.namespace, types.MergePatchType,
			[]byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/`+mode+`":"restricted"}}}`),
			metav1.PatchOptions{})
		require.NoError(t, err)
	}
	label("warn")
	s.up(deployment, "warned", s.in("warned", deploymentSpec("warned", "example.com/api:1", 0)))
	assert.Contains(t, s.host.text(), "would violate PodSecurity", "the API server's warnings reach the user")

	label("enforce")
	_, err := s.tryUp(deployment, "api", s.in("api", deploymentSpec("api", "example.com/api:1", 1)), 3*time.Second)
	reasons := strings.Join(initFailure(t, err).GetReasons(), "\n")
	assert.Contains(t, reasons, "ReplicaFailure is True: FailedCreate: ")
	assert.Contains(t, reasons, "violates PodSecurity")
}
