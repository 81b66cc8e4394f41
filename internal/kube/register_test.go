package kube_test

import (
	"encoding/base64"
	"reflect"
	"slices"
	"strings"
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
		recording := pulumitest.UpRevealed(t, func(ctx *pulumi.Context) error {
			_, err := kube.NewGeneratedSecret(ctx, "s", kube.Metadata{Name: "s"}, "password")
			return err
		})
		secret := recording.Find(t, "kubernetes:core/v1:Secret", "s")
		if !slices.Equal(secret.IgnoreChanges, []string{"data"}) {
			t.Errorf("ignoreChanges = %v, want data", secret.IgnoreChanges)
		}
		value, _ := secret.At("data", "password").(string)
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

func TestReferencesTakeThePlaceOfStrings(t *testing.T) {
	program := func(ctx *pulumi.Context) error {
		secret, err := kube.NewGeneratedSecret(ctx, "s", kube.Metadata{}, "password")
		if err != nil {
			return err
		}
		_, err = kube.NewCustomResource(ctx, "w", kube.CustomResource[widgetSpec]{
			APIVersion: "example.com/v1",
			Kind:       "Widget",
			Spec:       widgetSpec{Color: "secret", Parts: []widgetBit{{Name: "secret"}, {Name: "bolt"}}},
			References: map[string]pulumi.StringInput{"secret": secret.Metadata.Name().Elem()},
		})
		return err
	}
	up := pulumitest.Up(t, program)
	widget := up.Find(t, "kubernetes:example.com/v1:Widget", "w")
	name, _ := widget.At("spec", "color").(string)
	if !strings.HasPrefix(name, "s-") || widget.At("spec", "parts", 0, "name") != name {
		t.Errorf("spec = %v, want the name of the Secret in both places", widget.At("spec"))
	}
	if got := widget.At("spec", "parts", 1, "name"); got != "bolt" {
		t.Errorf("a string that is no reference became %v", got)
	}
	widget = pulumitest.Preview(t, program).Find(t, "kubernetes:example.com/v1:Widget", "w")
	if widget.At("spec", "color") != pulumitest.Unknown || widget.At("spec", "size") != 0.0 {
		t.Errorf("in preview, spec = %v, want only the references unknown", widget.At("spec"))
	}
}

func TestStoreTraffic(t *testing.T) {
	tests := map[string]struct {
		store kube.ObjectStore
		want  []kube.Traffic
	}{
		"AWS with a Secret": {
			kube.ObjectStore{SecretName: pulumi.String("s")},
			[]kube.Traffic{kube.Internet(443)},
		},
		"AWS with the identity of the pod": {
			kube.ObjectStore{},
			[]kube.Traffic{kube.Internet(443), {
				Peers: []kube.Peer{{CIDR: "169.254.170.23/32"}},
				Ports: []kube.Port{{Number: 80}},
			}},
		},
		"a Service": {
			kube.ObjectStore{Endpoint: "http://object-store.ai-agent.svc:7070"},
			[]kube.Traffic{{Peers: []kube.Peer{{Namespace: "ai-agent"}}, Ports: []kube.Port{{Number: 7070}}}},
		},
		"a Service with the cluster's domain": {
			kube.ObjectStore{Endpoint: "http://object-store.ai-agent.svc.cluster.local"},
			[]kube.Traffic{{Peers: []kube.Peer{{Namespace: "ai-agent"}}, Ports: []kube.Port{{Number: 80}}}},
		},
		"a host elsewhere": {
			kube.ObjectStore{Endpoint: "https://s3.example.com"},
			[]kube.Traffic{kube.Internet(443)},
		},
		"an address": {
			kube.ObjectStore{Endpoint: "https://10.1.2.3:9000"},
			[]kube.Traffic{{Peers: []kube.Peer{{CIDR: "10.1.2.3/32"}}, Ports: []kube.Port{{Number: 9000}}}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.store.Traffic(); !reflect.DeepEqual(got, test.want) {
				t.Errorf("traffic = %+v, want %+v", got, test.want)
			}
		})
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
