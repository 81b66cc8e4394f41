package object

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Keys that the official provider stores beside the live object.
const (
	inputsKey            = "__inputs"
	initialAPIVersionKey = "__initialApiVersion"
	fieldManagerKey      = "__fieldManager"
)

// Checkpoint is what the state of one resource consists of.
type Checkpoint struct {
	Inputs            *unstructured.Unstructured // as the program gave them, after Check
	Live              *unstructured.Unstructured // as the API server last returned it
	InitialAPIVersion string
	FieldManager      string
}

// Properties renders the checkpoint as the resource's outputs. Secretness is carried over from the
// properties that the program sent.
func (c Checkpoint) Properties(from resource.PropertyMap) resource.PropertyMap {
	live := c.Live.DeepCopy()
	unstructured.RemoveNestedField(live.Object, "metadata", "annotations", annotationLastApplied)
	outputs, inputs := ToProperties(live), ToProperties(c.Inputs)
	CarrySecrets(outputs, from)
	CarrySecrets(inputs, from)
	outputs[inputsKey] = resource.NewObjectProperty(inputs)
	outputs[initialAPIVersionKey] = resource.NewStringProperty(c.InitialAPIVersion)
	outputs[fieldManagerKey] = resource.NewStringProperty(c.FieldManager)
	return outputs
}

// ParseState splits stored outputs into the program's inputs and the live object of that time.
func ParseState(state resource.PropertyMap) (inputs, live *unstructured.Unstructured) {
	live = FromProperties(state)
	stored, _ := live.Object[inputsKey].(map[string]any)
	if stored == nil {
		stored = map[string]any{}
	}
	for _, key := range []string{inputsKey, initialAPIVersionKey, fieldManagerKey} {
		delete(live.Object, key)
	}
	return &unstructured.Unstructured{Object: stored}, live
}

// InitialAPIVersion returns the apiVersion that the object was created with.
func InitialAPIVersion(state resource.PropertyMap, inputs *unstructured.Unstructured) string {
	if stored := state[initialAPIVersionKey]; stored.IsString() {
		return stored.StringValue()
	}
	return inputs.GetAPIVersion()
}
