package pulumitest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Digest is the digest of every image that a recorded program builds.
const Digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// fakeOutputs returns what a provider would report after creating the resource: its inputs, and the values
// that only the provider knows and that this program uses. region is that of the resource's provider.
func fakeOutputs(args pulumi.MockResourceArgs, region string) resource.PropertyMap {
	outputs := args.Inputs.Copy()
	if strings.HasPrefix(args.TypeToken, "aws:") {
		outputs = awsOutputs(args, region)
		maps.Copy(outputs, args.Inputs)
		return outputs
	}
	switch {
	case args.TypeToken == "docker:index/image:Image":
		repository := withoutTag(outputs["imageName"].StringValue())
		outputs["repoDigest"] = resource.NewStringProperty(repository + "@" + Digest)
	case args.TypeToken == "pulumi:index:Stash":
		outputs["output"] = outputs["input"]
	case strings.HasPrefix(args.TypeToken, "kubernetes:") && outputs["metadata"].IsObject():
		metadata := outputs["metadata"].ObjectValue().Copy()
		if !metadata.HasValue("name") {
			metadata["name"] = resource.NewStringProperty(args.Name + "-" + suffix(args.Inputs))
		}
		outputs["metadata"] = resource.NewObjectProperty(metadata)
		keepFirst(args, outputs)
		if strings.HasSuffix(args.TypeToken, ":Gateway") {
			outputs["status"] = gatewayStatus(args.Name)
		}
	}
	return outputs
}

// previewOutputs returns what is known of a resource before it exists. A provider knows more than that, but the data of
// a Secret is the one thing that other resources are made from: the SDK's mocks take no secret that is unknown.
func previewOutputs(args pulumi.MockResourceArgs) resource.PropertyMap {
	outputs := resource.PropertyMap{}
	if data, given := args.Inputs["data"]; given && args.TypeToken == secretType {
		outputs["data"] = data
		keepFirst(args, outputs)
	}
	return outputs
}

const secretType = "kubernetes:core/v1:Secret"

// keepFirst stands for the engine, which goes on with the first value of an ignored property. The data of such a Secret
// is drawn anew in each run and is the same here in all of them.
func keepFirst(args pulumi.MockResourceArgs, outputs resource.PropertyMap) {
	if args.TypeToken != secretType || !slices.Contains(args.RegisterRPC.GetIgnoreChanges(), "data") {
		return
	}
	data := outputs["data"]
	for data.IsSecret() {
		data = data.SecretValue().Element
	}
	kept := resource.PropertyMap{}
	for key, drawn := range data.ObjectValue() {
		kept[key] = resource.NewStringProperty(firstValue(args.Name, string(key), drawn))
	}
	outputs["data"] = resource.MakeSecret(resource.NewObjectProperty(kept))
}

// certificates holds the first value of each key of a Secret that was in PEM: others parse it.
var certificates sync.Map

func firstValue(secret, key string, drawn resource.PropertyValue) string {
	for drawn.IsSecret() {
		drawn = drawn.SecretValue().Element
	}
	if drawn.IsString() {
		if text, err := base64.StdEncoding.DecodeString(drawn.StringValue()); err == nil &&
			strings.HasPrefix(string(text), "-----BEGIN ") {
			first, _ := certificates.LoadOrStore(secret+" "+key, drawn.StringValue())
			return first.(string)
		}
	}
	return base64.StdEncoding.EncodeToString([]byte("first-" + key + "-of-" + secret))
}

// gatewayStatus is what the controller of a Gateway says of it.
func gatewayStatus(name string) resource.PropertyValue {
	address := map[string]any{"type": "Hostname", "value": name + ".elb.amazonaws.com"}
	return resource.NewObjectProperty(resource.NewPropertyMapFromMap(map[string]any{"addresses": []any{address}}))
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
