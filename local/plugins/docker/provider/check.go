package provider

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"agentstack/local/plugins/docker/engine"
	"agentstack/local/plugins/property"
)

// Check fills in defaults and the digest of the build context, by which Diff sees changed files, and
// returns every problem of the inputs at once.
func (p *Provider) Check(ctx context.Context, req *pulumirpc.CheckRequest) (
	*pulumirpc.CheckResponse, error,
) {
	if err := checkType(req.GetUrn()); err != nil {
		return nil, err
	}
	inputs, err := property.Decode(req.GetNews(), "inputs")
	if err != nil {
		return nil, err
	}
	var img image
	if err := decode(inputs, &img); err != nil {
		reason := redact(err.Error(), secretTexts(object(inputs), false))
		return failed(&pulumirpc.CheckFailure{Reason: reason}), nil
	}
	failures := checkNames(inputs, img)
	build := objectIn(inputs, "build")
	setDefault(inputs, "buildOnPreview", resource.NewBoolProperty(false))
	setDefault(build, "context", resource.NewStringProperty("."))
	setDefault(build, "platform", resource.NewStringProperty(hostPlatform()))
	if directory := property.Open(build["context"]); directory.IsString() {
		dockerfile := filepath.Join(directory.StringValue(), "Dockerfile")
		setDefault(build, "dockerfile", resource.NewStringProperty(dockerfile))
	}
	failure, err := checkContext(ctx, build)
	if err != nil {
		return nil, err
	}
	if failures = append(failures, failure...); len(failures) > 0 {
		return failed(failures...), nil
	}
	if registry := property.Open(inputs["registry"]); registry.IsObject() {
		if password, ok := registry.ObjectValue()["password"]; ok && !password.IsSecret() {
			registry.ObjectValue()["password"] = resource.MakeSecret(password)
		}
	}
	checked, err := marshal(inputs)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.CheckResponse{Inputs: checked}, nil
}

func failed(failures ...*pulumirpc.CheckFailure) *pulumirpc.CheckResponse {
	return &pulumirpc.CheckResponse{Failures: failures}
}

// checkNames looks at image names, the builder and the credentials, as far as they are known.
func checkNames(inputs resource.PropertyMap, img image) []*pulumirpc.CheckFailure {
	var failures []*pulumirpc.CheckFailure
	fail := func(property, format string, args ...any) {
		reason := fmt.Sprintf(format, args...)
		failures = append(failures, &pulumirpc.CheckFailure{Property: property, Reason: reason})
	}
	name, given := inputs["imageName"]
	switch {
	case !given || property.Open(name).IsNull():
		fail("imageName", "an image name is required")
	case property.Open(name).IsString() && (!img.SkipPush || len(img.Build.CacheFrom.Images) > 0):
		if _, err := engine.RegistryOf(img.ImageName); err != nil {
			fail("imageName", "%s", err)
		}
	}
	for i, cached := range img.Build.CacheFrom.Images {
		if _, err := engine.RegistryOf(cached); err != nil {
			fail(fmt.Sprintf("build.cacheFrom.images[%d]", i), "%s", err)
		}
	}
	if !slices.Contains([]string{"", "BuilderBuildKit"}, img.Build.BuilderVersion) {
		fail("build.builderVersion", "%q is not supported: this provider builds with BuilderBuildKit",
			img.Build.BuilderVersion)
	}
	if registry := property.Open(inputs["registry"]); registry.IsObject() {
		_, username := registry.ObjectValue()["username"]
		_, password := registry.ObjectValue()["password"]
		if username != password {
			fail("registry", "username and password go together: one of them is missing")
		}
	}
	return failures
}

// checkContext sets the context's digest once context and Dockerfile are known.
func checkContext(ctx context.Context, build resource.PropertyMap) ([]*pulumirpc.CheckFailure, error) {
	directory, dockerfile := property.Open(build["context"]), property.Open(build["dockerfile"])
	if !directory.IsString() || !dockerfile.IsString() {
		return nil, nil
	}
	if err := engine.CheckPaths(directory.StringValue(), dockerfile.StringValue()); err != nil {
		return []*pulumirpc.CheckFailure{{Property: "build", Reason: err.Error()}}, nil
	}
	digest, err := engine.ContextDigest(ctx, directory.StringValue(), dockerfile.StringValue())
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return nil, err
		}
		return []*pulumirpc.CheckFailure{{Property: "build.context", Reason: err.Error()}}, nil
	}
	build["contextDigest"] = resource.NewStringProperty(digest)
	return nil, nil
}

// objectIn returns the object at key, which it adds when there is none. Changes to it are changes to
// inputs.
func objectIn(inputs resource.PropertyMap, key resource.PropertyKey) resource.PropertyMap {
	if value := property.Open(inputs[key]); value.IsObject() {
		return value.ObjectValue()
	}
	added := resource.PropertyMap{}
	if !inputs[key].IsComputed() {
		inputs[key] = resource.NewObjectProperty(added)
	}
	return added
}

func setDefault(properties resource.PropertyMap, key resource.PropertyKey, value resource.PropertyValue) {
	if current, ok := properties[key]; !ok || property.Open(current).IsNull() {
		properties[key] = value
	}
}

func object(properties resource.PropertyMap) resource.PropertyValue {
	return resource.NewObjectProperty(properties)
}
