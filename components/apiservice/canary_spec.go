package apiservice

import corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"

// canaryName is that of the canary's Deployment, of its Service and, as a label, of its pods. NetworkPolicies that let
// pods of the API in have to name it, too.
const canaryName = appName + "-canary"

// canaryServiceArgs describes the Service that the edge's routes give the canary's share to. It leads to the pods of
// the API, until a judge leads it to those of a canary; after a refusal, back. The API may have no pods yet, so nobody
// waits for them.
func canaryServiceArgs(args Args) *corev1.ServiceArgs {
	service := serviceArgs(args, appName)
	meta := workload(args, canaryName)
	meta.Annotations = map[string]string{"pulumi.com/skipAwait": "true"}
	service.Metadata = meta.Args()
	return service
}
