package kube_test

import (
	"encoding/base64"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

type widgetSpec struct {
	Size  int         `json:"size"`
	Color string      `json:"color,omitempty"`
	Parts []widgetBit `json:"parts,omitempty"`
}

type widgetBit struct {
	Name string `json:"name"`
}

func register(ctx *pulumi.Context) error {
	meta := kube.Metadata{Name: "w", Namespace: "ns", Labels: kube.Labels("w", "test", "r1")}
	if _, err := kube.NewCustomResource(ctx, "w-r1", kube.CustomResource[widgetSpec]{
		APIVersion: "example.com/v1",
		Kind:       "Widget",
		Metadata:   meta,
		Spec:       widgetSpec{Size: 3, Parts: []widgetBit{{Name: "bolt"}}},
	}); err != nil {
		return err
	}
	_, err := kube.NewGeneratedSecret(ctx, "w-r1", meta, "password")
	return err
}

func TestRegisteredObjects(t *testing.T) {
	pulumitest.Up(t, register).Golden(t, "up")
	pulumitest.Preview(t, register).Golden(t, "preview")
}

// TestGeneratedSecretIsRandomAndKept relies on the engine, which keeps the first value of an ignored
// property.
func TestGeneratedSecretIsRandomAndKept(t *testing.T) {
	data := func() string {
		var value string
		recording := pulumitest.Up(t, func(ctx *pulumi.Context) error {
			secret, err := kube.NewGeneratedSecret(ctx, "s", kube.Metadata{Name: "s"}, "password")
			if err != nil {
				return err
			}
			secret.Data.ApplyT(func(data map[string]string) string {
				value = data["password"]
				return value
			})
			return nil
		})
		ignored := recording.Find(t, "kubernetes:core/v1:Secret", "s").IgnoreChanges
		if !slices.Equal(ignored, []string{"data"}) {
			t.Errorf("ignoreChanges = %v, want data", ignored)
		}
		plain, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			t.Errorf("decode data: %v", err)
		}
		return string(plain)
	}
	first, second := data(), data()
	const bitsPerCharacter = 5
	if len(first)*bitsPerCharacter < 128 || first == second {
		t.Errorf("generated %q and %q, want two different values of at least 128 bits", first, second)
	}
}

func TestEnvFromSecretHoldsNoValue(t *testing.T) {
	env := kube.EnvFromSecret("PASSWORD", pulumi.String("s"), "password")
	if env.Value != nil {
		t.Errorf("value = %v, want none", env.Value)
	}
}

func TestNewSecretHidesPlainValues(t *testing.T) {
	recording := pulumitest.Up(t, func(ctx *pulumi.Context) error {
		values := pulumi.StringMap{"key": pulumi.String("value")}
		_, err := kube.NewSecret(ctx, "s", kube.Metadata{Namespace: "ns"}, values)
		return err
	})
	if got := recording.Find(t, "kubernetes:core/v1:Secret", "s").At("data"); got != pulumitest.Secret {
		t.Errorf("data = %v, want it to be secret", got)
	}
}
