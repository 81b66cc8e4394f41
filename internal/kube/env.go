package kube

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Env returns an environment variable with a plain value. Secret values go through EnvFromSecret.
func Env(name, value string) *corev1.EnvVarArgs {
	return &corev1.EnvVarArgs{Name: pulumi.String(name), Value: pulumi.String(value)}
}

// EnvFromSecret returns an environment variable whose value the kubelet takes from a key of a Secret in the
// pod's namespace, so that the value is never part of the pod's specification.
func EnvFromSecret(name string, secret pulumi.StringPtrInput, key string) *corev1.EnvVarArgs {
	return &corev1.EnvVarArgs{
		Name: pulumi.String(name),
		ValueFrom: &corev1.EnvVarSourceArgs{
			SecretKeyRef: &corev1.SecretKeySelectorArgs{
				Name: secret,
				Key:  pulumi.String(key),
			},
		},
	}
}
