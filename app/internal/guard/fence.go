package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"agentstack/app/internal/kube"
)

const (
	// annotationFenced names instances, as a list in JSON. The operator stops PostgreSQL in them, and since their pods
	// are not ready then, it does not elect them. https://cloudnative-pg.io/documentation/1.28/fencing/
	annotationFenced = "cnpg.io/fencedInstances"
	// everyInstance in the list stands for all of them.
	everyInstance = "*"
)

// Fence implements Instances. It adds to the list and takes nothing from it. The Cluster must not have changed between
// the look at it and the patch, or there is an error.
func (c *Cluster) Fence(ctx context.Context, instance, primary Instance) (bool, error) {
	var cluster struct {
		Metadata struct {
			ResourceVersion string
			Annotations     map[string]string
		}
		Status struct{ CurrentPrimary, TargetPrimary string }
	}
	if err := c.api.Call(ctx, http.MethodGet, c.path, kube.JSON, nil, &cluster); err != nil {
		return false, fmt.Errorf("get cluster: %w", err)
	}
	if status := cluster.Status; status.CurrentPrimary != primary.Name || status.TargetPrimary != primary.Name {
		return false, fmt.Errorf("the operator has %s as the primary and wants %s", status.CurrentPrimary,
			status.TargetPrimary)
	}
	var fenced []string
	if list, ok := cluster.Metadata.Annotations[annotationFenced]; ok {
		// The operator takes a list that it cannot read for none, and somebody meant it for something.
		if err := json.Unmarshal([]byte(list), &fenced); err != nil {
			return false, fmt.Errorf("read annotation %s: %w", annotationFenced, err)
		}
	}
	if slices.Contains(fenced, instance.Name) || slices.Contains(fenced, everyInstance) {
		return false, nil
	}
	list, err := json.Marshal(append(fenced, instance.Name))
	if err != nil {
		return false, fmt.Errorf("encode annotation %s: %w", annotationFenced, err)
	}
	patch := map[string]any{"metadata": map[string]any{
		"resourceVersion": cluster.Metadata.ResourceVersion,
		"annotations":     map[string]string{annotationFenced: string(list)},
	}}
	if err := c.api.Call(ctx, http.MethodPatch, c.path, kube.MergePatch, patch, &cluster); err != nil {
		return false, fmt.Errorf("patch cluster: %w", err)
	}
	return true, nil
}
