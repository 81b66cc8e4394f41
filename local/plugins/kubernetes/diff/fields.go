// Package diff compares the inputs of two updates of a resource and says which changes the API server cannot
// make in place.
package diff

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"agentstack/local/plugins/kubernetes/object"
)

// Options are the provider settings that a comparison depends on.
type Options struct {
	ConfigMapMutable bool // update ConfigMap data in place unless the object is immutable
	SecretMutable    bool // update Secret data in place unless the object is immutable
}

var identity = []string{"kind", "metadata.name", "metadata.namespace"}

// immutable lists, for each group and kind, the fields that the official provider replaces the object for.
var immutable = map[schema.GroupKind][]string{
	{Group: "apps", Kind: "DaemonSet"}:  {"spec.selector"},
	{Group: "apps", Kind: "Deployment"}: {"spec.selector"},
	{Group: "apps", Kind: "StatefulSet"}: {
		"spec.podManagementPolicy", "spec.revisionHistoryLimit", "spec.selector", "spec.serviceName",
		"spec.volumeClaimTemplates",
	},
	{Group: "batch", Kind: "Job"}: {
		"spec.completions", "spec.parallelism", "spec.selector", "spec.template",
	},
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}: {"roleRef"},
	{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}:        {"roleRef"},
	{Group: "storage.k8s.io", Kind: "StorageClass"}:                  {"parameters", "provisioner"},
	{Kind: "PersistentVolume"}:                                       persistentVolume,
	{Kind: "PersistentVolumeClaim"}: {
		"spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName",
	},
	{Kind: "Pod"}:           pod,
	{Kind: "ResourceQuota"}: {"spec.scopes"},
	{Kind: "Secret"}:        {"type"},
	{Kind: "Service"}:       {"spec.clusterIP"},
}

var persistentVolume = prefixed("spec.",
	"awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flexVolume", "flocker",
	"gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs", "photonPersistentDisk",
	"portworxVolume", "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume")

var pod = append(
	prefixed(
		"spec.",
		"affinity",
		"automountServiceAccountToken",
		"dnsConfig",
		"dnsPolicy",
		"enableServiceLinks",
		"hostAliases",
		"hostIPC",
		"hostNetwork",
		"hostPID",
		"hostname",
		"imagePullSecrets",
		"nodeName",
		"nodeSelector",
		"overhead",
		"preemptionPolicy",
		"priority",
		"priorityClassName",
		"readinessGates",
		"restartPolicy",
		"runtimeClassName",
		"schedulerName",
		"securityContext",
		"serviceAccount",
		"serviceAccountName",
		"shareProcessNamespace",
		"subdomain",
		"terminationGracePeriodSeconds",
		"volumes",
	),
	append(container("spec.containers"), container("spec.initContainers")...)...)

func container(list string) []string {
	return prefixed(list+"[*].",
		"args", "command", "env", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "ports",
		"readinessProbe", "resources", "securityContext", "stdin", "stdinOnce", "terminationMessagePath",
		"terminationMessagePolicy", "tty", "volumeDevices", "volumeMounts", "workingDir")
}

func prefixed(prefix string, fields ...string) []string {
	result := make([]string, len(fields))
	for i, field := range fields {
		result[i] = prefix + field
	}
	return result
}

// replacing returns the paths whose change replaces the object.
func replacing(obj *unstructured.Unstructured, options Options) ([]resource.PropertyPath, error) {
	fields := append([]string{}, identity...)
	fields = append(fields, immutable[obj.GroupVersionKind().GroupKind()]...)
	isImmutable, _ := obj.Object["immutable"].(bool)
	if object.IsConfigMap(obj) && (!options.ConfigMapMutable || isImmutable) {
		fields = append(fields, "data", "binaryData")
	}
	if object.IsSecret(obj) && (!options.SecretMutable || isImmutable) {
		fields = append(fields, "data", "stringData")
	}
	paths := make([]resource.PropertyPath, len(fields))
	for i, field := range fields {
		path, err := resource.ParsePropertyPath(field)
		if err != nil {
			return nil, fmt.Errorf("parse field %q: %w", field, err)
		}
		paths[i] = path
	}
	return paths, nil
}
