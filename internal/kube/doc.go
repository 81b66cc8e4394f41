// Package kube holds what every component needs to describe Kubernetes objects: the common labels, the
// restricted security contexts, probes, resource quantities with their validation, generated secrets and
// certificates, and the one generic helper through which custom resources are registered.
package kube
