package strict

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"agentstack/internal/pulumitest"
)

// helmRelease is not an object: the provider renders its chart.
const helmRelease = "kubernetes:helm.sh/v3:Release"

// Check applies every Kubernetes object of a recording made by pulumitest.UpRevealed as a server-side dry
// run with strict field validation, and returns what the server refuses or warns of, one error an object.
// Objects that differ from an earlier one only in the name of their region are left out. checked counts the
// others. Namespaces are made for real and stay, because what is in them cannot be checked without them.
func (s *Server) Check(ctx context.Context, recording *pulumitest.Recording) (checked int, err error) {
	resources := slices.DeleteFunc(slices.Clone(recording.Resources), func(r pulumitest.Resource) bool {
		return !strings.HasPrefix(r.Type, "kubernetes:") || r.Type == helmRelease
	})
	isNamespace := func(r pulumitest.Resource) bool { return r.At("kind") == "Namespace" }
	slices.SortStableFunc(resources, func(a, b pulumitest.Resource) int {
		switch {
		case isNamespace(a) == isNamespace(b):
			return 0
		case isNamespace(a):
			return -1
		}
		return 1
	})
	var problems []error
	seen := map[string]bool{}
	for _, resource := range resources {
		form, err := withoutRegion(resource)
		if err != nil {
			return checked, err
		}
		if seen[form] {
			continue
		}
		seen[form] = true
		checked++
		if err := s.apply(ctx, resource.Inputs, isNamespace(resource)); err != nil {
			problems = append(problems, fmt.Errorf("apply %s %s: %w", resource.Type, resource.Name, err))
		}
	}
	return checked, errors.Join(problems...)
}

func (s *Server) apply(ctx context.Context, inputs map[string]any, persist bool) error {
	object := &unstructured.Unstructured{Object: inputs}
	if object.GetName() == "" {
		object.SetName("autonamed")
	}
	options := []client.PatchOption{
		client.FieldOwner("strict"), client.ForceOwnership, client.FieldValidation("Strict"),
	}
	if !persist {
		options = append(options, client.DryRunAll)
	}
	err := s.client.Patch(ctx, object, client.Apply, options...)
	return errors.Join(err, s.warnings.take())
}

// withoutRegion returns an object as JSON with the name of its region taken out.
func withoutRegion(resource pulumitest.Resource) (string, error) {
	encoded, err := json.Marshal(resource.Inputs)
	if err != nil {
		return "", fmt.Errorf("encode %s %s: %w", resource.Type, resource.Name, err)
	}
	region, labelled := resource.At("metadata", "labels", corev1.LabelTopologyRegion).(string)
	if !labelled {
		return string(encoded), nil
	}
	return strings.ReplaceAll(string(encoded), region, "REGION"), nil
}
