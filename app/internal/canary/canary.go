// Package canary runs a canary beside the stable version for as long as it is to be judged, and takes it away.
package canary

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"agentstack/app/internal/kube"
)

// Canary is a Deployment whose number of pods nobody else sets.
type Canary struct {
	API *kube.Client
	// Stable and Name are the Deployments of the two versions, and the label app.kubernetes.io/name of their pods. Name
	// is also the Service that gets the canary's share of the traffic.
	Stable, Name string
	// Image is the one that is judged. A canary with another one belongs to a later deployment.
	Image string
	// Replicas is how many pods the canary's share of the traffic needs.
	Replicas int
	// Patience is how long the pods may take to be ready.
	Patience time.Duration
	// Interval is the time between two looks at them.
	Interval time.Duration
}

// deployment has what is read of a Deployment.
type deployment struct {
	Metadata struct {
		Generation      int64
		ResourceVersion string
	}
	Spec struct {
		Template struct {
			Spec struct {
				Containers []struct{ Image string }
			}
		}
	}
	Status struct {
		ObservedGeneration                           int64
		Replicas, UpdatedReplicas, AvailableReplicas int
	}
}

func (d deployment) runs(image string) bool {
	containers := d.Spec.Template.Spec.Containers
	return len(containers) > 0 && containers[0].Image == image
}

// errOther says that a later deployment has changed the canary.
var errOther = errors.New("another image has become the canary")

// Start gives the canary its pods, and if there is a stable version to compare it with, its share of the traffic once
// all are ready. Otherwise it says why not.
func (c Canary) Start(ctx context.Context) (nothing string, err error) {
	if err := c.scale(ctx, c.Replicas); err != nil {
		return "", err
	}
	stable, err := c.get(ctx, c.Stable)
	switch {
	case kube.HasStatus(err, http.StatusNotFound):
		return "nothing to compare the canary with: there is no stable version yet", nil
	case err != nil:
		return "", err
	case stable.runs(c.Image):
		return "nothing to judge: the stable version has this image already", nil
	case stable.Status.AvailableReplicas == 0:
		return "nothing to compare the canary with: no pod of the stable version is ready", nil
	}
	if err := c.wait(ctx); err != nil {
		return "", err
	}
	return "", c.lead(ctx, c.Name)
}

// wait ends when the canary has no pods but those of its image, all of them ready.
func (c Canary) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	for {
		canary, err := c.get(ctx, c.Name)
		s := canary.Status
		switch {
		case err == nil && !canary.runs(c.Image):
			return errOther
		case err == nil && s.ObservedGeneration >= canary.Metadata.Generation && s.Replicas == c.Replicas &&
			s.UpdatedReplicas == c.Replicas && s.AvailableReplicas == c.Replicas:
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%d of the canary's %d pods are ready after %s: look at "+
				"`kubectl -n %s describe pods -l app.kubernetes.io/name=%s`",
				min(s.AvailableReplicas, s.UpdatedReplicas), c.Replicas, c.Patience, c.API.Namespace, c.Name), err)
		case <-time.After(c.Interval):
		}
	}
}

// Withdraw gives the canary's share of the traffic to the stable version, and takes its pods away. The canary of a
// later deployment stays.
func (c Canary) Withdraw(ctx context.Context) error {
	canary, err := c.get(ctx, c.Name)
	if err != nil || !canary.runs(c.Image) {
		return err
	}
	// An edge may refuse the share of a Service without pods.
	if err := c.lead(ctx, c.Stable); err != nil {
		return err
	}
	if err := c.scale(ctx, 0); !errors.Is(err, errOther) {
		return err
	}
	return nil
}

// lead makes the pods of a version those of the Service that gets the canary's share.
func (c Canary) lead(ctx context.Context, version string) error {
	patch := map[string]any{"spec": map[string]any{"selector": map[string]any{"app.kubernetes.io/name": version}}}
	path := "/api/v1/namespaces/" + c.API.Namespace + "/services/" + c.Name
	var answer struct{}
	if err := c.API.Call(ctx, http.MethodPatch, path, kube.MergePatch, patch, &answer); err != nil {
		return fmt.Errorf("lead Service %s to the pods of %s: %w", c.Name, version, err)
	}
	return nil
}

// scale sets the number of the canary's pods, unless it has become another canary.
func (c Canary) scale(ctx context.Context, replicas int) error {
	for {
		canary, err := c.get(ctx, c.Name)
		if err != nil {
			return err
		}
		if !canary.runs(c.Image) {
			return errOther
		}
		patch := map[string]any{
			// Refused if the Deployment has changed since.
			"metadata": map[string]any{"resourceVersion": canary.Metadata.ResourceVersion},
			"spec":     map[string]any{"replicas": replicas},
		}
		var answer struct{}
		err = c.API.Call(ctx, http.MethodPatch, c.path(c.Name)+"/scale", kube.MergePatch, patch, &answer)
		switch {
		case err == nil:
			return nil
		case !kube.HasStatus(err, http.StatusConflict):
			return fmt.Errorf("scale Deployment %s to %d: %w", c.Name, replicas, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("scale Deployment %s to %d: %w", c.Name, replicas, errors.Join(err, ctx.Err()))
		case <-time.After(c.Interval):
		}
	}
}

func (c Canary) get(ctx context.Context, name string) (deployment, error) {
	var d deployment
	if err := c.API.Call(ctx, http.MethodGet, c.path(name), kube.JSON, nil, &d); err != nil {
		return d, fmt.Errorf("get Deployment %s: %w", name, err)
	}
	return d, nil
}

func (c Canary) path(name string) string {
	return "/apis/apps/v1/namespaces/" + c.API.Namespace + "/deployments/" + name
}
