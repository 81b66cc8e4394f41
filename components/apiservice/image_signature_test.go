package apiservice_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/apiservice"
	"agentstack/internal/pulumitest"
	"agentstack/internal/supplychain"
)

const (
	stashType     = "pulumi:index:Stash"
	configMapType = "kubernetes:core/v1:ConfigMap"
)

// deploysSigned registers an image that attach signs, and a ConfigMap that stands for whatever uses the image and the
// public key.
func deploysSigned(given pulumi.StringInput, attach apiservice.Attach) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		key, err := apiservice.NewSigningKey(ctx, "image-signing", given)
		if err != nil {
			return err
		}
		args := validImageArgs(key)
		args.Attach = attach
		image, err := apiservice.NewImage(ctx, "ai-agent-api", args)
		if err != nil {
			return err
		}
		_, err = corev1.NewConfigMap(ctx, "user", &corev1.ConfigMapArgs{
			Data: pulumi.StringMap{"image": image, "key": key.Public},
		})
		return err
	}
}

func TestImageIsSignedByTheKeyOfTheStack(t *testing.T) {
	var calls []supplychain.Image
	public := ""
	recording := pulumitest.Up(t, deploysSigned(nil, func(_ context.Context, image supplychain.Image,
		key supplychain.Key,
	) (err error) {
		calls = append(calls, image)
		public, err = key.PublicKey()
		return err
	}))
	reference := "registry.example.com/team/ai-agent-api@" + pulumitest.Digest
	want := []supplychain.Image{{Reference: reference, Username: "ci", Password: "hunter2"}}
	if !slices.Equal(calls, want) {
		t.Errorf("signed %v, want %v", calls, want)
	}
	// Neither is a secret, though both come from one.
	user := recording.Find(t, configMapType, "user")
	if user.At("data", "image") != reference || user.At("data", "key") != public {
		t.Errorf("used are image %v and key %v, signed was with %q",
			user.At("data", "image"), user.At("data", "key"), public)
	}
	if !strings.HasPrefix(public, "-----BEGIN PUBLIC KEY-----\n") {
		t.Errorf("the public key is %q", public)
	}
	stash := recording.Find(t, stashType, "image-signing")
	if stash.At("input") != pulumitest.Secret || !slices.Equal(stash.IgnoreChanges, []string{"input"}) {
		t.Errorf("the state keeps %v and ignores changes of %v", stash.At("input"), stash.IgnoreChanges)
	}
}

func TestImageIsSignedByTheGivenKey(t *testing.T) {
	private, err := supplychain.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := supplychain.ParseKey(private)
	if err != nil {
		t.Fatal(err)
	}
	recording := pulumitest.Up(t, deploysSigned(pulumi.String(private), func(_ context.Context, _ supplychain.Image,
		used supplychain.Key,
	) error {
		want, err := key.PublicKey()
		got, failed := used.PublicKey()
		if got != want {
			t.Errorf("signed with %q, want %q", got, want)
		}
		return errors.Join(err, failed)
	}))
	if kept := recording.OfType(stashType); len(kept) > 0 {
		t.Errorf("the state keeps %v", kept)
	}
}

func TestImageWithoutSignatureIsNotUsed(t *testing.T) {
	fails := func(context.Context, supplychain.Image, supplychain.Key) error {
		return errors.New("attach signature of image i: the registry is away")
	}
	recording, err := pulumitest.Run(deploysSigned(nil, fails), false)
	if err == nil || !strings.Contains(err.Error(), "attach signature of image i: the registry is away") {
		t.Errorf("error = %v", err)
	} else if strings.Contains(err.Error(), "PRIVATE KEY") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret is shown: %v", err)
	}
	if used := recording.OfType(configMapType); len(used) > 0 {
		t.Errorf("the image is used by %v", used)
	}
}

func TestPreviewSignsNothing(t *testing.T) {
	pulumitest.Preview(t, deploysSigned(nil, func(context.Context, supplychain.Image, supplychain.Key) error {
		t.Error("a preview signed")
		return nil
	}))
}

func TestBadSigningKeyIsRefused(t *testing.T) {
	problems := apiservice.ValidateSigningKey(nil, "hunter2")
	if len(problems) != 1 || strings.Contains(problems.ToAggregate().Error(), "hunter2") {
		t.Errorf("problems = %v", problems)
	}
	private, err := supplychain.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if problems := apiservice.ValidateSigningKey(nil, private); len(problems) > 0 {
		t.Errorf("a good key has problems: %v", problems)
	}
}
