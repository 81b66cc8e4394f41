package apiservice_test

import (
	"context"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/apiservice"
	"agentstack/internal/pulumitest"
	"agentstack/internal/supplychain"
)

// validImageArgs describes an image that nobody signs: there is no registry.
func validImageArgs(key *apiservice.SigningKey) apiservice.ImageArgs {
	return apiservice.ImageArgs{
		Context:    "./app",
		Target:     "agentd",
		Tag:        "staging",
		Repository: pulumi.String("registry.example.com/team/ai-agent-api"),
		Login:      &apiservice.Login{Username: pulumi.String("ci"), Password: pulumi.String("hunter2")},
		Key:        key,
		Attach:     func(context.Context, supplychain.Image, supplychain.Key) error { return nil },
	}
}

func newImage(ctx *pulumi.Context) (pulumi.StringOutput, error) {
	key, err := apiservice.NewSigningKey(ctx, "image-signing", nil)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return apiservice.NewImage(ctx, "ai-agent-api", validImageArgs(key))
}

func TestRegisteredImage(t *testing.T) {
	pulumitest.Up(t, func(ctx *pulumi.Context) error {
		image, err := newImage(ctx)
		ctx.Export("image", image)
		return err
	}).Golden(t, "image")
}

func TestImageIsReferredToByDigest(t *testing.T) {
	pulumitest.Up(t, func(ctx *pulumi.Context) error {
		image, err := newImage(ctx)
		if err != nil {
			return err
		}
		want := "registry.example.com/team/ai-agent-api@" + pulumitest.Digest
		image.ApplyT(func(got string) string {
			if got != want {
				t.Errorf("image = %q, want %q", got, want)
			}
			return got
		})
		return nil
	})
}

func TestBadImageArgumentsRegisterNothing(t *testing.T) {
	recording, err := pulumitest.Run(func(ctx *pulumi.Context) error {
		_, err := apiservice.NewImage(ctx, "i", apiservice.ImageArgs{
			BuildNetwork: "none",
			Login:        &apiservice.Login{Username: pulumi.String("ci")},
		})
		return err
	}, false)
	if err == nil {
		t.Fatal("bad arguments were accepted")
	}
	for _, want := range []string{
		"repository: Required", `buildNetwork: Unsupported value: "none"`, "context: Required", "target: Required",
		"tag: Required", "key: Required", "login: Required",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not contain %q:\n%v", want, err)
		}
	}
	if len(recording.Resources) > 0 {
		t.Errorf("registered %v", recording.References())
	}
}

func TestRepository(t *testing.T) {
	for repository, valid := range map[string]bool{
		"10.200.0.2:5000/ai-agent-api":                              true,
		"registry.example.com/team/ai_agent":                        true,
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/ai-agent-api": true,
		"registry.example.com/ai-agent-api:v1":                      false,
		"registry.example.com/AI":                                   false,
		"https://registry.example.com/ai-agent-api":                 false,
		"ai-agent-api":          false,
		"registry.example.com/": false,
	} {
		problems := apiservice.ImageSettings{Repository: repository}.Validate(nil)
		if got := len(problems) == 0; got != valid {
			t.Errorf("%q valid: %v, want %v", repository, got, valid)
		}
	}
}
