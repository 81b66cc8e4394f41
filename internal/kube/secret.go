package kube

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumix"
)

// opaque is the type of a Secret that names none.
const opaque = "Opaque"

// NewSecret registers an Opaque Secret with the given values. The SDK marks the data of every Secret, so
// that the values are encrypted in the stack's state even when the caller forgot to.
func NewSecret(ctx *pulumi.Context, name string, meta Metadata, values pulumi.StringMap,
	opts ...pulumi.ResourceOption,
) (*corev1.Secret, error) {
	return NewSecretOfType(ctx, name, meta, opaque, values, opts...)
}

// NewSecretOfType is NewSecret for a Secret of another type, such as kubernetes.io/basic-auth.
// https://kubernetes.io/docs/concepts/configuration/secret/#secret-types
func NewSecretOfType(ctx *pulumi.Context, name string, meta Metadata, secretType string, values pulumi.StringMap,
	opts ...pulumi.ResourceOption,
) (*corev1.Secret, error) {
	data := pulumi.StringMap{}
	for key, value := range values {
		data[key] = encode(value)
	}
	args := &corev1.SecretArgs{Metadata: meta.Args(), Data: data}
	if secretType != opaque {
		args.Type = pulumi.String(secretType)
	}
	secret, err := corev1.NewSecret(ctx, name, args, opts...)
	if err != nil {
		return nil, fmt.Errorf("register Secret %s: %w", name, err)
	}
	return secret, nil
}

// Generate returns a random value of 52 characters, at least 256 bits, for the data of a Secret, and the option with
// which the Secret keeps it.
//
// The value is made by the program itself, so that no further provider is needed: each run makes a new one,
// and the option keeps the one that the first run stored. It lives, encrypted, in the stack's state and in
// the Secret, whose data is what consumers may refer to.
func Generate() (value pulumi.StringInput, keep pulumi.ResourceOption) {
	return pulumi.String(rand.Text() + rand.Text()), keepData
}

// keepData makes a Secret keep the data that it was made with.
var keepData = pulumi.IgnoreChanges([]string{"data"})

// NewGeneratedSecret registers a Secret whose one key holds a value of Generate.
func NewGeneratedSecret(ctx *pulumi.Context, name string, meta Metadata, key string,
	opts ...pulumi.ResourceOption,
) (*corev1.Secret, error) {
	value, keep := Generate()
	return NewSecret(ctx, name, meta, pulumi.StringMap{key: value}, append(opts, keep)...)
}

// Decoded returns what the data of a registered Secret has under a key. It is secret.
func Decoded(secret *corev1.Secret, key string) pulumi.StringOutput {
	value := pulumix.ApplyErr(secret.Data.MapIndex(pulumi.String(key)), func(encoded string) (string, error) {
		plain, err := base64.StdEncoding.DecodeString(encoded)
		return string(plain), err
	})
	return pulumi.ToSecret(pulumix.Cast[pulumi.StringOutput](value)).(pulumi.StringOutput)
}

// encode returns the base64 form that the data of a Secret has in the API.
func encode(value pulumi.StringInput) pulumi.StringOutput {
	return pulumix.Cast[pulumi.StringOutput](pulumix.Apply(value.ToStringOutput(), func(plain string) string {
		return base64.StdEncoding.EncodeToString([]byte(plain))
	}))
}
