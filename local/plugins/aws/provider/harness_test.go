package provider

import (
	"context"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/structpb"

	"agentstack/local/plugins/property"
)

type properties = map[string]any

// screen keeps what the engine would show.
type screen struct{ lines []string }

func (s *screen) Log(_ context.Context, _ diag.Severity, _ resource.URN, message string) error {
	s.lines = append(s.lines, message)
	return nil
}

// engine plays the Pulumi engine's part: check, then act.
type engine struct {
	*testing.T
	provider *Provider
	screen   *screen
}

// configured is an engine with a provider of us-east-1 and the default tag Project.
func configured(t *testing.T) engine {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "placeholder")
	shown := &screen{}
	e := engine{t, New(shown), shown}
	_, err := e.provider.Configure(t.Context(), &pulumirpc.ConfigureRequest{Args: e.packed(properties{
		"region": "us-east-1", "defaultTags": `{"tags":{"Project":"agentstack"}}`,
	})})
	require.NoError(t, err)
	return e
}

func (e engine) packed(values properties) *structpb.Struct {
	e.Helper()
	result, err := property.Encode(resource.NewPropertyMapFromMap(values), "test", true)
	require.NoError(e, err)
	return result
}

func (e engine) unpacked(values *structpb.Struct) resource.PropertyMap {
	e.Helper()
	result, err := property.Decode(values, "test")
	require.NoError(e, err)
	return result
}

func urnOf(token, name string) string {
	return "urn:pulumi:test::agentstack::" + token + "::" + name
}

func (e engine) check(token, name string, inputs properties) *pulumirpc.CheckResponse {
	e.Helper()
	response, err := e.provider.Check(e.Context(), &pulumirpc.CheckRequest{
		Urn: urnOf(token, name), News: e.packed(inputs), RandomSeed: []byte("a seed of enough bytes to be one"),
	})
	require.NoError(e, err)
	return response
}

// res is a resource as the engine remembers it.
type res struct {
	urn, id       string
	inputs, state *structpb.Struct
}

func (e engine) create(token, name string, inputs properties, preview bool) (res, resource.PropertyMap) {
	e.Helper()
	checked := e.check(token, name, inputs)
	require.Empty(e, checked.GetFailures())
	response, err := e.provider.Create(e.Context(), &pulumirpc.CreateRequest{
		Urn: urnOf(token, name), Properties: checked.GetInputs(), Preview: preview,
	})
	require.NoError(e, err)
	made := res{urnOf(token, name), response.GetId(), checked.GetInputs(), response.GetProperties()}
	return made, e.unpacked(response.GetProperties())
}

func (e engine) diff(made res, news *structpb.Struct) *pulumirpc.DiffResponse {
	e.Helper()
	response, err := e.provider.Diff(e.Context(), &pulumirpc.DiffRequest{
		Id: made.id, Urn: made.urn, Olds: made.state, OldInputs: made.inputs, News: news,
	})
	require.NoError(e, err)
	slices.Sort(response.Replaces)
	return response
}
