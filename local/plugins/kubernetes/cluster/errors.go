package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"agentstack/local/plugins/kubernetes/object"
)

// undeclared is how server-side apply reports an unknown field: failed to create typed patch object
// (ns/name; apps/v1, Kind=Deployment): .spec.x: field not declared in schema
var undeclared = regexp.MustCompile(`(?:^|\s)\.?(\S+): field not declared in schema`)

// typedPatch leads errors of server-side apply; it repeats what Explain says first.
var typedPatch = regexp.MustCompile(`failed to create typed patch object \([^)]*\): `)

// Explain turns an error of the API server into a message that starts with the object and ends with what to
// do.
func Explain(obj *unstructured.Unstructured, err error) error {
	if err == nil {
		return nil
	}
	subject := object.Describe(obj)
	switch {
	case meta.IsNoMatchError(err):
		return errors.New(MissingKind(obj))
	case apierrors.IsConflict(err):
		return fmt.Errorf("%s: %s", subject, conflict(err))
	case Unreachable(err):
		return fmt.Errorf("%s: %w", subject, ExplainUnreachable(err))
	case NamespaceMissing(err):
		return fmt.Errorf("%s: namespace %q does not exist: create it, or make this resource depend on it",
			subject, object.Namespace(obj))
	}
	if fields := undeclaredFields(err.Error()); len(fields) > 0 {
		return fmt.Errorf("%s: strict decoding error: %s", subject, strings.Join(fields, ", "))
	}
	if IsImmutable(err) {
		return fmt.Errorf("%s: %w: to replace the object instead, name the field in the resource option "+
			"replaceOnChanges", subject, cleaned{err})
	}
	return fmt.Errorf("%s: %w", subject, cleaned{err})
}

// operators are what defines kinds that programs often use, by API group.
var operators = map[string]string{
	"cert-manager.io":           "cert-manager",
	"gateway.networking.k8s.io": "the Gateway API and a controller for it",
	"monitoring.coreos.com":     "the Prometheus Operator",
	"postgresql.cnpg.io":        "the operator CloudNativePG",
}

// MissingKind says that the API server lacks the object's kind, and what to install.
func MissingKind(obj *unstructured.Unstructured) string {
	missing := "its CustomResourceDefinition"
	if operator, ok := operators[obj.GroupVersionKind().Group]; ok {
		missing = operator + ", which defines it,"
	}
	return fmt.Sprintf("%s: the API server does not know kind %s of %s: install %s first, or correct the apiVersion",
		object.Describe(obj), obj.GetKind(), obj.GetAPIVersion(), missing)
}

// IsImmutable reports whether the server refused to change a field in place.
func IsImmutable(err error) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), validation.FieldImmutableErrorMsg)
}

// cleaned shortens the text of an error and keeps its type.
type cleaned struct{ error }

func (c cleaned) Error() string { return typedPatch.ReplaceAllString(c.error.Error(), "") }
func (c cleaned) Unwrap() error { return c.error }

func undeclaredFields(message string) []string {
	var fields []string
	for _, match := range undeclared.FindAllStringSubmatch(message, -1) {
		fields = append(fields, `unknown field "`+match[1]+`"`)
	}
	return fields
}

func conflict(err error) string {
	var causes []string
	if status := apierrors.APIStatus(nil); errors.As(err, &status) && status.Status().Details != nil {
		for _, cause := range status.Status().Details.Causes {
			if cause.Type == metav1.CauseTypeFieldManagerConflict {
				causes = append(
					causes,
					fmt.Sprintf("%s (%s)", strings.TrimPrefix(cause.Field, "."), cause.Message),
				)
			}
		}
	}
	if len(causes) == 0 {
		return err.Error()
	}
	return fmt.Sprintf(
		"another field manager owns %s: leave those fields out of the program, or set the annotation "+
			"%s to \"true\" to take them over",
		strings.Join(causes, "; "),
		object.AnnotationPatchForce,
	)
}

// NamespaceMissing reports whether the error is about the object's namespace rather than the object.
func NamespaceMissing(err error) bool {
	status := apierrors.APIStatus(nil)
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Kind == "namespaces"
}

// Unreachable reports whether the request never got an answer.
func Unreachable(err error) bool {
	var (
		request *url.Error
		network net.Error
		lookup  *net.OpError
	)
	if errors.Is(err, context.Canceled) {
		return false
	}
	return errors.As(err, &request) || errors.As(err, &network) || errors.As(err, &lookup)
}

// ExplainUnreachable says in one line that there is no cluster and what to do.
func ExplainUnreachable(err error) error {
	return fmt.Errorf("the Kubernetes cluster is unreachable: %w: start the cluster, or correct the provider's "+
		"kubeconfig and context", err)
}
