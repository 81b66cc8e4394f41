package kube

import (
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Metadata is the part of an object's metadata that this program sets. With an empty Name the provider
// derives a unique one from the Pulumi resource's name.
type Metadata struct {
	Name        string
	Namespace   string
	Labels      map[string]string
	Annotations map[string]string
}

// Args returns m as the input of an object.
func (m Metadata) Args() *metav1.ObjectMetaArgs {
	args := &metav1.ObjectMetaArgs{Labels: StringMap(m.Labels)}
	if m.Name != "" {
		args.Name = pulumi.String(m.Name)
	}
	if m.Namespace != "" {
		args.Namespace = pulumi.String(m.Namespace)
	}
	if len(m.Annotations) > 0 {
		args.Annotations = StringMap(m.Annotations)
	}
	return args
}
