package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/csaupgrade"
)

// createBackoff spaces the attempts to create an object whose namespace, kind or admission webhook may only
// just be coming up: about 30 seconds in all, as the official provider does.
var createBackoff = wait.Backoff{Duration: time.Second, Factor: 2, Steps: 6}

// Apply is one server-side apply.
type Apply struct {
	Object       *unstructured.Unstructured
	FieldManager string
	Force        bool // take fields from other managers
	DryRun       bool
}

// Apply creates or updates the object with strict validation and returns what the server made of it.
func (c *Client) Apply(ctx context.Context, apply Apply) (*unstructured.Unstructured, error) {
	resource, err := c.resource(apply.Object)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(apply.Object.Object)
	if err != nil {
		return nil, fmt.Errorf("encode object: %w", err)
	}
	options := metav1.PatchOptions{
		FieldManager: apply.FieldManager, Force: &apply.Force, FieldValidation: metav1.FieldValidationStrict,
	}
	if apply.DryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	return resource.Patch(ctx, apply.Object.GetName(), types.ApplyPatchType, body, options)
}

// ApplyWithRetry applies and, while the namespace, the kind or an admission webhook is missing, tries again
// for about 30 seconds. retrying is told about each failure.
func (c *Client) ApplyWithRetry(
	ctx context.Context, apply Apply, retrying func(error),
) (*unstructured.Unstructured, error) {
	backoff := c.backoff
	for {
		live, err := c.Apply(ctx, apply)
		if err == nil || !temporary(err) || backoff.Steps <= 1 {
			return live, err
		}
		retrying(err)
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-time.After(backoff.Step()):
		}
		if meta.IsNoMatchError(err) {
			c.Refresh()
		}
	}
}

func temporary(err error) bool {
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) ||
		apierrors.IsInternalError(err) && strings.Contains(err.Error(), "failed calling webhook")
}

// Get returns the live object.
func (c *Client) Get(ctx context.Context, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	resource, err := c.existing(obj)
	if err != nil {
		return nil, err
	}
	return resource.Get(ctx, obj.GetName(), metav1.GetOptions{})
}

// List returns the objects of a kind in a namespace that match a label selector.
func (c *Client) List(
	ctx context.Context, gvk schema.GroupVersionKind, namespace, selector string,
) ([]unstructured.Unstructured, error) {
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, err
	}
	list, err := c.dynamic.Resource(mapping.Resource).Namespace(namespace).
		List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// Delete asks the server to delete the object.
func (c *Client) Delete(
	ctx context.Context, obj *unstructured.Unstructured, propagation metav1.DeletionPropagation,
) error {
	resource, err := c.existing(obj)
	if err != nil {
		return err
	}
	return resource.Delete(ctx, obj.GetName(), metav1.DeleteOptions{PropagationPolicy: &propagation})
}

// clientSideManagers own fields of objects that were made by kubectl or by the official provider before they
// came under server-side apply.
var clientSideManagers = sets.New("kubectl", "kubectl-client-side-apply", "kubectl-create", "before-first-apply",
	"pulumi-kubernetes", "pulumi-kubernetes.exe", "pulumi-resource-kubernetes")

// TakeOver gives the fields of client-side managers to the field manager, so that a field the program drops
// is dropped from the object too.
func (c *Client) TakeOver(ctx context.Context, live *unstructured.Unstructured, fieldManager string) error {
	names := clientSideManagers.Union(sets.New(fieldManager))
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(live, names, fieldManager)
	if err != nil || len(patch) == 0 {
		return wrap("compute managed fields", err)
	}
	resource, err := c.resource(live)
	if err != nil {
		return err
	}
	_, err = resource.Patch(ctx, live.GetName(), types.JSONPatchType, patch, metav1.PatchOptions{})
	return wrap("take over managed fields", err)
}

func wrap(action string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", action, err)
}

// HasClientSideManager reports whether TakeOver has anything to take over.
func HasClientSideManager(live *unstructured.Unstructured) bool {
	for _, entry := range live.GetManagedFields() {
		if entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == "" &&
			clientSideManagers.Has(entry.Manager) {
			return true
		}
	}
	return false
}

// Relinquish gives up every field that the manager owns. Fields that another manager owns too stay.
func (c *Client) Relinquish(ctx context.Context, live *unstructured.Unstructured, fieldManager string) error {
	empty := &unstructured.Unstructured{}
	empty.SetGroupVersionKind(live.GroupVersionKind())
	empty.SetName(live.GetName())
	empty.SetNamespace(live.GetNamespace())
	_, err := c.Apply(ctx, Apply{Object: empty, FieldManager: fieldManager})
	return wrap("give up fields of manager "+fieldManager, err)
}
