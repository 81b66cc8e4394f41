package provider

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"agentstack/local/plugins/kubernetes/object"
)

const nowhere = `
apiVersion: v1
kind: Config
current-context: a
contexts: [{name: a, context: {cluster: a, user: a}}, {name: b, context: {cluster: b, user: a}}]
clusters:
- {name: a, cluster: {server: "https://127.0.0.1:1"}}
- {name: b, cluster: {server: "https://127.0.0.1:2"}}
users: [{name: a, user: {token: hunter2}}]
`

func newUnreachable(t *testing.T, config map[string]string) *Provider {
	t.Helper()
	p := New(nil, &object.Redactor{})
	configure(t, p, nowhere, config)
	require.Nil(t, p.client)
	return p
}

func TestCheckConfigRefusesWhatIsNotSupported(t *testing.T) {
	p := New(nil, &object.Redactor{})
	news, err := p.marshal(resource.NewPropertyMapFromMap(doc{
		"renderYamlToDirectory": "/tmp/manifests", "enableServerSideApply": "false",
		"deleteUnreachable":           "perhaps",
		"suppressDeprecationWarnings": "true",
	}), "test")
	require.NoError(t, err)
	response, err := p.CheckConfig(t.Context(), &pulumirpc.CheckRequest{News: news})
	require.NoError(t, err)
	properties := make([]string, len(response.GetFailures()))
	for i, failure := range response.GetFailures() {
		properties[i] = failure.GetProperty()
	}
	assert.Equal(t, []string{"deleteUnreachable", "renderYamlToDirectory", "enableServerSideApply"}, properties)
}

func TestDiffConfigReplacesForAnotherCluster(t *testing.T) {
	computed := resource.MakeComputed(resource.NewStringProperty(""))
	cases := map[string]struct {
		olds, news doc
		changes    pulumirpc.DiffResponse_DiffChanges
		replaces   []string
	}{
		"nothing": {
			doc{"kubeconfig": nowhere},
			doc{"kubeconfig": nowhere},
			pulumirpc.DiffResponse_DIFF_NONE,
			nil,
		},
		"another context on another cluster": {
			doc{"kubeconfig": nowhere}, doc{"kubeconfig": nowhere, "context": "b"},
			pulumirpc.DiffResponse_DIFF_SOME, []string{"context"},
		},
		"same cluster": {
			doc{"kubeconfig": nowhere}, doc{"kubeconfig": nowhere, "context": "a", "namespace": "x"},
			pulumirpc.DiffResponse_DIFF_SOME, nil,
		},
		"unknown kubeconfig": {
			doc{"kubeconfig": nowhere}, doc{"kubeconfig": computed},
			pulumirpc.DiffResponse_DIFF_SOME, []string{"kubeconfig"},
		},
		"identifier stays": {
			doc{"kubeconfig": nowhere, "clusterIdentifier": "x"},
			doc{
				"kubeconfig":        nowhere,
				"context":           "b",
				"clusterIdentifier": "x",
			}, pulumirpc.DiffResponse_DIFF_SOME, nil,
		},
		"identifier changes": {
			doc{
				"kubeconfig":        nowhere,
				"clusterIdentifier": "x",
			}, doc{"kubeconfig": nowhere, "clusterIdentifier": "y"},
			pulumirpc.DiffResponse_DIFF_SOME, []string{"clusterIdentifier"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := New(nil, &object.Redactor{})
			olds, err := p.marshal(resource.NewPropertyMapFromMap(c.olds), "test")
			require.NoError(t, err)
			news, err := p.marshal(resource.NewPropertyMapFromMap(c.news), "test")
			require.NoError(t, err)
			response, err := p.DiffConfig(t.Context(), &pulumirpc.DiffRequest{Olds: olds, News: news})
			require.NoError(t, err)
			assert.Equal(t, c.changes, response.GetChanges())
			assert.Equal(t, c.replaces, response.GetReplaces())
		})
	}
}

func TestBrokenKubeconfigDoesNotQuoteItsContents(t *testing.T) {
	p := New(nil, &object.Redactor{})
	configure(t, p, "users:\n- token: hunter2\n  bad", nil)
	require.Error(t, p.unreachable)
	assert.NotContains(t, p.unreachable.Error(), "hunter2")
}

func TestUnsupportedTokensAreRefused(t *testing.T) {
	p := newUnreachable(t, nil)
	for _, token := range []string{
		"kubernetes:helm.sh/v4:Chart", "kubernetes:apps/v1:DeploymentList", "kubernetes:apps/v1:DeploymentPatch",
	} {
		_, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urnOf(token, "x"), Type: token})
		assert.ErrorContains(t, err, token+" is not supported by the local kubernetes provider")
	}
	_, err := p.Construct(t.Context(), &pulumirpc.ConstructRequest{Type: "kubernetes:yaml/v2:ConfigFile"})
	assert.ErrorContains(t, err, "not supported")
}
