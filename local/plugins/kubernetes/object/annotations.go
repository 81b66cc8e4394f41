package object

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Annotations by which a program steers the provider. They are the official provider's.
const (
	AnnotationAutonamed         = "pulumi.com/autonamed"
	AnnotationSkipAwait         = "pulumi.com/skipAwait"
	AnnotationWaitFor           = "pulumi.com/waitFor"
	AnnotationReplaceUnready    = "pulumi.com/replaceUnready"
	AnnotationTimeoutSeconds    = "pulumi.com/timeoutSeconds"
	AnnotationPatchForce        = "pulumi.com/patchForce"
	AnnotationPatchFieldManager = "pulumi.com/patchFieldManager"
	AnnotationDeletion          = "pulumi.com/deletionPropagationPolicy"
	annotationLastApplied       = "kubectl.kubernetes.io/last-applied-configuration"
)

// Annotation returns the value of an annotation, empty when it is unset or not known yet.
func Annotation(obj *unstructured.Unstructured, name string) string {
	annotations := mapAt(mapAt(obj.Object, "metadata"), "annotations")
	value, _ := annotations[name].(string)
	return value
}

// Flagged reports whether an annotation is "true".
func Flagged(obj *unstructured.Unstructured, name string) bool {
	return Annotation(obj, name) == "true"
}

// SetAnnotation sets an annotation, also on an object that holds unknown values. Where the annotations
// themselves are unknown nothing can be set.
func SetAnnotation(obj *unstructured.Unstructured, name, value string) {
	metadata, ok := ensureMap(obj.Object, "metadata")
	if !ok {
		return
	}
	if annotations, ok := ensureMap(metadata, "annotations"); ok {
		annotations[name] = value
	}
}

// Timeout is how long an operation may take: the resource option customTimeouts wins over the annotation,
// the annotation over fallback.
func Timeout(
	obj *unstructured.Unstructured,
	customSeconds float64,
	fallback time.Duration,
) (time.Duration, error) {
	if customSeconds > 0 {
		return time.Duration(customSeconds * float64(time.Second)), nil
	}
	value := Annotation(obj, AnnotationTimeoutSeconds)
	if value == "" {
		return fallback, nil
	}
	seconds, err := strconv.Atoi(value)
	if err != nil || seconds <= 0 {
		return 0, fmt.Errorf(
			"annotation %s is %q: want a whole number of seconds above 0",
			AnnotationTimeoutSeconds,
			value,
		)
	}
	return time.Duration(seconds) * time.Second, nil
}

// DeletionPropagation is what happens to dependents on deletion: foreground unless annotated otherwise.
func DeletionPropagation(obj *unstructured.Unstructured) metav1.DeletionPropagation {
	switch strings.ToLower(Annotation(obj, AnnotationDeletion)) {
	case "orphan":
		return metav1.DeletePropagationOrphan
	case "background":
		return metav1.DeletePropagationBackground
	default:
		return metav1.DeletePropagationForeground
	}
}

func mapAt(m map[string]any, key string) map[string]any {
	v, _ := m[key].(map[string]any)
	return v
}

func ensureMap(m map[string]any, key string) (map[string]any, bool) {
	if m[key] == nil {
		m[key] = map[string]any{}
	}
	v, ok := m[key].(map[string]any)
	return v, ok
}
