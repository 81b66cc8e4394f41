package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"google.golang.org/protobuf/types/known/structpb"

	"agentstack/local/plugins/docker/engine"
	"agentstack/local/plugins/property"
)

// apply builds and, unless told otherwise, pushes, and returns the state and the image's name. A preview builds only
// when asked to, and never pushes, so the digest stays unknown.
func (p *Provider) apply(ctx context.Context, urn string, given *structpb.Struct, preview bool) (
	state *structpb.Struct, name string, err error,
) {
	if err := checkType(urn); err != nil {
		return nil, "", err
	}
	inputs, err := property.Decode(given, "inputs")
	if err != nil {
		return nil, "", err
	}
	var img image
	if err := decode(inputs, &img); err != nil {
		return nil, "", err
	}
	result, err := previewState(inputs, img)
	if err != nil {
		return nil, "", err
	}
	if !preview || img.BuildOnPreview && !object(inputs).ContainsUnknowns() {
		digest, err := p.build(ctx, urn, inputs, img, preview)
		if err != nil {
			return nil, "", err
		}
		if digest != "" {
			result["repoDigest"] = resource.NewStringProperty(digest)
		}
	}
	state, err = marshal(result)
	return state, img.ImageName, err
}

// build is buildAndPush with its progress shown, and no secret in what is shown.
func (p *Provider) build(ctx context.Context, urn string, inputs resource.PropertyMap, img image, preview bool) (
	string, error,
) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.canceled, cancel)()

	secrets := secretTexts(object(inputs), false)
	for _, auth := range p.config.RegistryAuth {
		if auth.Password != "" {
			secrets = append(secrets, auth.Password)
		}
	}
	digest, err := p.buildAndPush(ctx, img, preview, func(line string) {
		// Losing a line of progress must not fail a build.
		_ = p.host.LogStatus(ctx, diag.Info, resource.URN(urn), redact(line, secrets))
	})
	if err != nil {
		return "", errors.New(redact(err.Error(), secrets))
	}
	return digest, nil
}

// buildAndPush returns what pins the image: the pushed reference, or the image ID when nothing is to be
// pushed, or "" for a preview of a push.
func (p *Provider) buildAndPush(ctx context.Context, img image, preview bool, progress func(string)) (
	string, error,
) {
	credentials, err := img.credentials(p.config)
	if err != nil {
		return "", err
	}
	auth, err := engine.NewAuth(credentials...)
	if err != nil {
		return "", err
	}
	daemon, err := engine.Connect(ctx, p.config.engine())
	if err != nil {
		return "", err
	}
	defer daemon.Close()
	progress("building " + img.ImageName)
	id, err := daemon.Build(ctx, img.request(), auth, progress)
	if err != nil {
		return "", err
	}
	if img.SkipPush {
		return id, nil
	}
	if preview {
		return "", nil
	}
	progress("pushing " + img.ImageName)
	return daemon.Push(ctx, img.ImageName, auth, progress)
}

// previewState is the state with everything that is known without building. The inputs are kept as the
// official provider keeps them: as one secret.
func previewState(inputs resource.PropertyMap, img image) (resource.PropertyMap, error) {
	unknown := resource.MakeComputed(resource.NewStringProperty(""))
	state := resource.PropertyMap{
		"repoDigest":     unknown,
		"registryServer": resource.NewStringProperty(""),
		"dockerfile":     unknown,
		inputsKey:        resource.MakeSecret(object(property.OpenedMap(inputs))),
	}
	if server := element(property.Open(inputs["registry"]), "server"); !server.IsNull() {
		state["registryServer"] = server
	}
	buildInputs := property.Open(inputs["build"])
	for output, input := range map[resource.PropertyKey]resource.PropertyValue{
		"imageName":     inputs["imageName"],
		"baseImageName": inputs["imageName"],
		"context":       element(buildInputs, "context"),
		"platform":      element(buildInputs, "platform"),
	} {
		state[output] = input
	}
	if img.Build.Context != "" && img.Build.Dockerfile != "" {
		relative, err := engine.RelativeDockerfile(img.Build.Context, img.Build.Dockerfile)
		if err != nil {
			return nil, fmt.Errorf("find Dockerfile: %w", err)
		}
		state["dockerfile"] = resource.NewStringProperty(relative)
	}
	return state, nil
}

func element(value resource.PropertyValue, key resource.PropertyKey) resource.PropertyValue {
	if value.IsObject() {
		return value.ObjectValue()[key]
	}
	return value
}
