package apiservice_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/apiservice"
	"agentstack/internal/pulumitest"
)

const secretType = "kubernetes:core/v1:Secret"

func TestBadModelsAreRefused(t *testing.T) {
	tests := map[string]struct {
		damage func(*apiservice.Args)
		want   []string
	}{
		"provider without anything": {
			func(a *apiservice.Args) { a.Models.Providers = append(a.Models.Providers, apiservice.Provider{}) },
			[]string{
				"models.providers[3].name: Required", "models.providers[3].kind: Required",
				"models.providers[3].baseUrl: Required",
			},
		},
		"values of a provider": {
			func(a *apiservice.Args) {
				a.Models.Providers[2] = apiservice.Provider{
					Name: "open-ai", Kind: "azure", BaseURL: "ftp://host", Timeout: "5", Retries: 11,
				}
				a.Models.Catalog = a.Models.Catalog[:1]
				a.Models.EmbeddingModel = ""
			},
			[]string{
				`models.providers[2].kind: Unsupported value: "azure": supported values: "openai", "anthropic"`,
				`models.providers[2].baseUrl: Invalid value: "ftp://host"`,
				`models.providers[2].timeout: Invalid value: "5"`, "models.providers[2].retries: Invalid value: 11",
				`models.providers[2].name: Duplicate value: "open-ai"`,
			},
		},
		"name of a provider": {
			func(a *apiservice.Args) {
				a.Models.Providers[2].Name, a.Models.Catalog[1].Routes[0].Provider = "O_1", "O_1"
			},
			[]string{`models.providers[2].name: Invalid value: "O_1"`},
		},
		"model without anything": {
			func(a *apiservice.Args) { a.Models.Catalog = append(a.Models.Catalog, apiservice.Model{}) },
			[]string{"models.catalog[2].name: Required", "models.catalog[2].routes: Required"},
		},
		"values of a model": {
			func(a *apiservice.Args) {
				a.Models.Catalog = append(a.Models.Catalog, apiservice.Model{
					Name: "gpt-4o", ContextTokens: 1023, InputPrice: -1, OutputPrice: -0.5,
					Routes: []apiservice.Route{{Provider: "open-ai"}, {Provider: "nobody"}, {}},
				}, apiservice.Model{Name: "a*b", Routes: []apiservice.Route{{Provider: "own"}}})
			},
			[]string{
				`models.catalog[2].routes[1].provider: Unsupported value: "nobody"`,
				`models.catalog[2].routes[2].provider: Required value: give one of`,
				"models.catalog[2].contextTokens: Invalid value: 1023",
				"models.catalog[2].inputPrice: Invalid value: -1",
				"models.catalog[2].outputPrice: Invalid value: -0.5",
				`models.catalog[2].name: Duplicate value: "gpt-4o"`,
				`models.catalog[3].name: Invalid value: "a*b"`,
			},
		},
		"embedding model that nobody serves": {
			func(a *apiservice.Args) { a.Models.EmbeddingModel = "embed" },
			[]string{`models.embeddingModel: Unsupported value: "embed": supported values: "gpt-4o", "text-*"`},
		},
		"missing key and one for nobody": {
			func(a *apiservice.Args) {
				delete(a.ProviderKeys, "anthropic")
				a.ProviderKeys["azure"] = pulumi.String("sk-azure-secret")
			},
			[]string{
				"providerKeys.anthropic: Required value: the provider needs a key",
				`providerKeys.azure: Unsupported value: "azure": supported values: "open-ai", "anthropic", "own"`,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := validArgs()
			test.damage(&args)
			problems := args.Validate(nil)
			for _, want := range test.want {
				starts := func(p *field.Error) bool { return strings.HasPrefix(p.Error(), want) }
				if !slices.ContainsFunc(problems, starts) {
					t.Errorf("no problem %q among:\n%v", want, problems)
				}
			}
			if len(problems) != len(test.want) {
				t.Errorf("%d problems, want %d:\n%v", len(problems), len(test.want), problems)
			}
			if strings.Contains(problems.ToAggregate().Error(), "sk-") {
				t.Errorf("a key is shown: %v", problems)
			}
		})
	}
}

// TestModelsOfTheAPI looks at what the program leaves to nobody's default.
func TestModelsOfTheAPI(t *testing.T) {
	config := pulumitest.Up(t, register(validArgs())).OfType("kubernetes:core/v1:ConfigMap")[0]
	text, _ := config.At("data", "MODELS").(string)
	var models struct {
		Providers []struct {
			Name, Kind, BaseURL, Timeout string
			Retries                      int
		}
		Models []struct {
			Name                    string
			ContextTokens           int
			InputPrice, OutputPrice float64
			Routes                  []struct{ Provider, Model string }
		}
		EmbeddingModel string
	}
	if err := json.Unmarshal([]byte(text), &models); err != nil {
		t.Fatalf("MODELS is %q: %v", text, err)
	}
	if p := models.Providers; len(p) != 3 || p[0].Timeout != "5m" || p[0].Retries != 2 || p[1].Retries != 1 {
		t.Errorf("providers are %+v", p)
	}
	if m := models.Models; len(m) != 2 || m[0].ContextTokens != 128_000 || m[0].Routes[1].Model != "claude" ||
		m[0].InputPrice != 2.5 {
		t.Errorf("models are %+v", m)
	}
}

func TestMemoryOfGoStaysBelowTheLimit(t *testing.T) {
	args := validArgs()
	args.Resources.Requests.CPU, args.Resources.Requests.Memory = "100m", "64Mi"
	args.Resources.Limits.Memory = "256Mi"
	config := pulumitest.Up(t, register(args)).OfType("kubernetes:core/v1:ConfigMap")[0]
	if got, want := config.At("data", "GOMEMLIMIT"), "241591905"; got != want { // 256 * 1024 * 1024 / 10 * 9
		t.Errorf("GOMEMLIMIT = %v, want %s", got, want)
	}
}

// valueOf returns what a Secret holds under a key.
func valueOf(t *testing.T, recording *pulumitest.Recording, name, key string) string {
	t.Helper()
	encoded, _ := recording.Find(t, secretType, name).At("data", key).(string)
	value, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

func TestCredentialsAreMadeOnce(t *testing.T) {
	const made, token = "ai-agent-api-eu-west-1-jwt-keys", "ai-agent-api-eu-west-1-signup-token"
	recording := pulumitest.UpRevealed(t, register(validArgs()))
	for name, key := range map[string]string{made: "JWT_KEYS", token: "SIGNUP_TOKEN"} {
		if value := valueOf(t, recording, name, key); len(value) < 32 {
			t.Errorf("%s has %d characters", key, len(value))
		}
		if got := recording.Find(t, secretType, name).IgnoreChanges; !slices.Equal(got, []string{"data"}) {
			t.Errorf("an update ignores changes of %v in %s: it would draw a new one", got, name)
		}
		// The recorder stands for the engine here, which goes on with the first value.
		want := "first-" + key + "-of-" + name
		if got := valueOf(t, recording, "ai-agent-secrets-eu-west-1", key); got != want {
			t.Errorf("pods get %s %q, want %q", key, got, want)
		}
	}
	recording = pulumitest.UpRevealed(t, register(standbyArgs()))
	for name, key := range map[string]string{made: "JWT_KEYS", token: "SIGNUP_TOKEN"} {
		want := map[string]string{"JWT_KEYS": "jwt-secret", "SIGNUP_TOKEN": "signup-secret"}[key]
		if got := valueOf(t, recording, name, key); got != want {
			t.Errorf("a standby keeps %s %q, want the primary's", key, got)
		}
		if got := valueOf(t, recording, "ai-agent-secrets-eu-west-1", key); got != want {
			t.Errorf("pods of a standby get %s %q, want the primary's", key, got)
		}
	}
}

func TestCredentialsStaySecret(t *testing.T) {
	pulumitest.Up(t, func(ctx *pulumi.Context) error {
		service, err := apiservice.New(ctx, "ai-agent-api-eu-west-1", validArgs())
		if err != nil {
			return err
		}
		for name, output := range map[string]pulumi.Output{
			"JWT keys": service.JWTKeys, "sign-up token": service.SignupToken,
		} {
			result, err := internals.UnsafeAwaitOutput(ctx.Context(), output)
			if err != nil || !result.Secret || result.Value == "" {
				t.Errorf("the %s: %v, secret: %v, %v", name, result.Value, result.Secret, err)
			}
		}
		return nil
	})
}
