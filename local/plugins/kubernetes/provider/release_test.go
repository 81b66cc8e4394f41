package provider

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const release = "kubernetes:helm.sh/v3:Release"

func TestReleaseIsPreviewedAndNoMore(t *testing.T) {
	p := newUnreachable(t, nil)
	unknown := resource.MakeComputed(resource.NewStringProperty(""))
	urn := urnOf(release, "operator")
	inputs, err := p.marshal(resource.NewPropertyMapFromMap(doc{
		"chart": "cloudnative-pg", "version": "0.27.0", "values": doc{"role": unknown},
	}), "test")
	require.NoError(t, err)
	checked, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn, News: inputs})
	require.NoError(t, err)
	require.Empty(t, checked.GetFailures())

	preview, err := p.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: urn, Properties: checked.GetInputs(), Preview: true,
	})
	require.NoError(t, err)
	state := decode(t, preview.GetProperties())
	assert.Equal(t, "0.27.0", state["version"].StringValue())
	assert.True(t, state["status"].IsComputed())
	assert.True(t, state["values"].ObjectValue()["role"].IsComputed())

	const only = "refuse Helm release operator: the local kubernetes provider previews Helm releases and does no more"
	_, err = p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: checked.GetInputs()})
	require.ErrorContains(t, err, only)
	_, err = p.Update(t.Context(), &pulumirpc.UpdateRequest{Urn: urn, News: checked.GetInputs()})
	require.ErrorContains(t, err, only)
	_, err = p.Read(t.Context(), &pulumirpc.ReadRequest{Urn: urn, Id: "ns/operator"})
	require.ErrorContains(t, err, only)
	_, err = p.Delete(t.Context(), &pulumirpc.DeleteRequest{Urn: urn, Id: "ns/operator"})
	require.ErrorContains(t, err, "use the official kubernetes plugin")
}

func TestReleaseNeedsAChart(t *testing.T) {
	p := newUnreachable(t, nil)
	checked, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urnOf(release, "operator")})
	require.NoError(t, err)
	require.Len(t, checked.GetFailures(), 1)
	assert.Equal(t, "chart", checked.GetFailures()[0].GetProperty())
}

func TestReleaseDiff(t *testing.T) {
	p := newUnreachable(t, nil)
	diff := func(olds, news doc) *pulumirpc.DiffResponse {
		before, err := p.marshal(resource.NewPropertyMapFromMap(olds), "test")
		require.NoError(t, err)
		after, err := p.marshal(resource.NewPropertyMapFromMap(news), "test")
		require.NoError(t, err)
		response, err := p.Diff(t.Context(), &pulumirpc.DiffRequest{
			Urn: urnOf(release, "operator"), OldInputs: before, News: after,
		})
		require.NoError(t, err)
		return response
	}
	old := doc{"chart": "cloudnative-pg", "version": "0.26.0"}
	assert.Equal(t, pulumirpc.DiffResponse_DIFF_NONE, diff(old, old).GetChanges())
	assert.Equal(t, []string{"version"}, diff(old, doc{"chart": "cloudnative-pg", "version": "0.27.0"}).GetDiffs())
}
