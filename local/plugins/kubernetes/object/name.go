package object

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fieldManagerPrefix starts the name under which each resource owns its fields. A manager of its own for
// each resource lets two programs own different fields of one object.
const (
	fieldManagerPrefix = "pulumi-kubernetes-"
	fieldManagerDigits = 8
)

// Named reports whether the program gave a name, known or not yet known.
func Named(obj *unstructured.Unstructured) bool {
	return mapAt(obj.Object, "metadata")["name"] != nil && mapAt(obj.Object, "metadata")["name"] != ""
}

// Name returns the object's name, empty when unset or unknown.
func Name(obj *unstructured.Unstructured) string { return metadataString(obj, "name") }

// Namespace returns the object's namespace, empty when unset or unknown.
func Namespace(obj *unstructured.Unstructured) string { return metadataString(obj, "namespace") }

func metadataString(obj *unstructured.Unstructured, key string) string {
	value, _ := mapAt(obj.Object, "metadata")[key].(string)
	return value
}

// SetMetadata sets one string of the metadata, also on an object that holds unknown values.
func SetMetadata(obj *unstructured.Unstructured, key, value string) {
	if metadata, ok := ensureMap(obj.Object, "metadata"); ok {
		metadata[key] = value
	}
}

// AssignName names an object that the program left unnamed: <resource name>-<8 hex digits>, the same for
// the same seed, or what the engine's autonaming configuration says.
func AssignName(obj *unstructured.Unstructured, request *pulumirpc.CheckRequest) error {
	if Named(obj) {
		return nil
	}
	name, err := resource.NewUniqueName(
		request.GetRandomSeed(),
		resource.URN(request.GetUrn()).Name()+"-",
		0,
		0,
		nil,
	)
	if err != nil {
		return fmt.Errorf("generate name: %w", err)
	}
	if options := request.GetAutonaming(); options != nil {
		switch options.GetMode() {
		case pulumirpc.CheckRequest_AutonamingOptions_DISABLE:
			return errors.New("autonaming is disabled: set metadata.name")
		default:
			name = options.GetProposedName()
		}
	}
	SetMetadata(obj, "name", name)
	SetAnnotation(obj, AnnotationAutonamed, "true")
	return nil
}

// AdoptName keeps the generated name of an earlier update.
func AdoptName(obj, old *unstructured.Unstructured) {
	if !Named(obj) && Flagged(old, AnnotationAutonamed) {
		SetMetadata(obj, "name", Name(old))
		SetAnnotation(obj, AnnotationAutonamed, "true")
	}
}

// FieldManager returns the manager under which the object's fields are applied: the annotation's, else the
// one of the stored state, else one of the resource's own. That one follows from the URN, where the official
// provider draws it: after an update that was killed before it could store its state, the next one finds its
// own fields instead of a stranger's.
func FieldManager(urn string, obj *unstructured.Unstructured, state resource.PropertyMap) string {
	if name := Annotation(obj, AnnotationPatchFieldManager); name != "" {
		return name
	}
	if stored := state[fieldManagerKey]; stored.IsString() {
		return stored.StringValue()
	}
	digest := sha256.Sum256([]byte(urn))
	return fieldManagerPrefix + hex.EncodeToString(digest[:])[:fieldManagerDigits]
}
