package pulumitest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Digest is the digest of every image that a recorded program builds.
const Digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// fakeOutputs returns what a provider would report after creating the resource: its inputs, and the values
// that only the provider knows and that this program uses.
func fakeOutputs(args pulumi.MockResourceArgs) resource.PropertyMap {
	outputs := args.Inputs.Copy()
	switch {
	case args.TypeToken == "docker:index/image:Image":
		repository := withoutTag(outputs["imageName"].StringValue())
		outputs["repoDigest"] = resource.NewStringProperty(repository + "@" + Digest)
	case strings.HasPrefix(args.TypeToken, "kubernetes:") && outputs["metadata"].IsObject():
		metadata := outputs["metadata"].ObjectValue().Copy()
		if !metadata.HasValue("name") {
			metadata["name"] = resource.NewStringProperty(args.Name + "-" + suffix(args.Inputs))
		}
		outputs["metadata"] = resource.NewObjectProperty(metadata)
	}
	return outputs
}

// suffix stands for the random end of a name that a provider makes. It depends on the inputs, because a
// change of them leads to a new name where it leads to a new object.
func suffix(inputs resource.PropertyMap) string {
	var reveal func(value resource.PropertyValue) (any, bool)
	reveal = func(value resource.PropertyValue) (any, bool) {
		if !value.IsSecret() {
			return nil, false
		}
		return value.SecretValue().Element.MapRepl(nil, reveal), true
	}
	sum := sha256.Sum256(fmt.Append(nil, inputs.MapRepl(nil, reveal)))
	return hex.EncodeToString(sum[:4])
}

// withoutTag cuts off an image's tag; a colon before the last slash belongs to the registry's port.
func withoutTag(image string) string {
	if colon := strings.LastIndex(image, ":"); colon > strings.LastIndex(image, "/") {
		return image[:colon]
	}
	return image
}
