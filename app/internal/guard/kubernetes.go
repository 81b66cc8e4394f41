package guard

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"agentstack/app/internal/kube"
)

// gracePeriod in seconds is that of the deletion. A primary that cannot write cannot shut down in order either, and one
// that is cut off would only archive what no replica has. It must not be 0: then the API forgets the pod while its
// processes may still run, and there could be two primaries.
const gracePeriod = 1

// The operator labels the primary so, and the Service for writers selects it by that.
// https://cloudnative-pg.io/documentation/1.28/labels_annotations/#predefined-labels
const (
	labelRole   = "cnpg.io/instanceRole"
	rolePrimary = "primary"
)

// Cluster is a Cluster of the operator and its pods, in the namespace of a service account.
type Cluster struct {
	api      *kube.Client
	pods     string // path of the namespace's pods
	selector string
	path     string // of the Cluster
}

// NewCluster returns the Cluster with a name, whose pods have the labels of a selector. The API's server is a URL;
// account is the folder with the files of the service account. The error has everything that is wrong with that folder.
func NewCluster(server, account, name, selector string) (*Cluster, error) {
	api, err := kube.NewClient(server, account)
	return &Cluster{
		api:      api,
		pods:     "/api/v1/namespaces/" + api.Namespace + "/pods",
		selector: selector,
		path:     "/apis/postgresql.cnpg.io/v1/namespaces/" + api.Namespace + "/clusters/" + name,
	}, err
}

// pod has what the guard reads of a pod.
type pod struct {
	Metadata struct {
		Name, UID         string
		Labels            map[string]string
		DeletionTimestamp *time.Time
	}
	Status struct {
		Phase      string
		PodIP      netip.Addr
		Conditions []struct{ Type, Status string }
	}
}

func (p pod) instance() Instance {
	i := Instance{
		Name: p.Metadata.Name, UID: p.Metadata.UID, Address: p.Status.PodIP,
		Primary:     p.Metadata.Labels[labelRole] == rolePrimary && p.Status.Phase == "Running",
		Terminating: p.Metadata.DeletionTimestamp != nil,
	}
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			i.Available = c.Status == "True" && !i.Terminating
		}
	}
	return i
}

// List implements Instances.
func (c *Cluster) List(ctx context.Context) ([]Instance, error) {
	var list struct{ Items []pod }
	query := url.Values{"labelSelector": {c.selector}}
	if err := c.api.Call(ctx, http.MethodGet, c.pods+"?"+query.Encode(), kube.JSON, nil, &list); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	var instances []Instance
	for _, item := range list.Items {
		instances = append(instances, item.instance())
	}
	return instances, nil
}

// Delete implements Instances.
func (c *Cluster) Delete(ctx context.Context, instance Instance) (bool, error) {
	options := map[string]any{
		"apiVersion": "v1", "kind": "DeleteOptions",
		"gracePeriodSeconds": gracePeriod,
		"preconditions":      map[string]string{"uid": instance.UID},
	}
	var answer struct{}
	err := c.api.Call(ctx, http.MethodDelete, c.pods+"/"+instance.Name, kube.JSON, options, &answer)
	if kube.HasStatus(err, http.StatusNotFound, http.StatusConflict) {
		return false, nil // the pod is gone; after a conflict another one has its name
	}
	if err != nil {
		return false, fmt.Errorf("delete pod %s: %w", instance.Name, err)
	}
	return true, nil
}
