package provider

import (
	"context"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"agentstack/local/plugins/property"
)

// Diff compares the inputs of the last update with the new ones.
func (*Provider) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	known, _, err := typeOf(req.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := property.Decode(req.GetOldInputs(), "old inputs")
	if err != nil {
		return nil, err
	}
	news, err := property.Decode(req.GetNews(), "new inputs")
	if err != nil {
		return nil, err
	}
	response := diffResponse(olds, news, known.Replaces)
	if len(response.GetReplaces()) > 0 && keepsName(resource.PropertyKey(known.AutoName), olds, news) {
		response.DeleteBeforeReplace = true
	}
	return response, nil
}

// keepsName reports whether the program itself gives a name that the resource already has: two cannot have it at once.
func keepsName(key resource.PropertyKey, olds, news resource.PropertyMap) bool {
	_, chosen := news[defaultsKey]
	return key != "" && !chosen && property.Open(news[key]).IsString() &&
		property.Opened(olds[key]).DeepEquals(property.Opened(news[key]))
}

// diffResponse plans a replacement for a change of any input among replaces.
func diffResponse(olds, news resource.PropertyMap, replaces []string) *pulumirpc.DiffResponse {
	olds, news = property.OpenedMap(olds), property.OpenedMap(news)
	delete(olds, defaultsKey)
	delete(news, defaultsKey)
	response := property.Diff(olds, news)
	for path, change := range response.GetDetailedDiff() {
		if slices.Contains(replaces, top(path)) {
			change.Kind++ // each kind is followed by the same with a replacement
		}
	}
	for _, key := range response.GetDiffs() {
		if slices.Contains(replaces, key) {
			response.Replaces = append(response.Replaces, key)
		}
	}
	return response
}

// top is the input that a path is in.
func top(path string) string {
	if i := strings.IndexAny(path, ".["); i > 0 {
		return path[:i]
	}
	return path
}
