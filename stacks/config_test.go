package stacks

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"agentstack/internal/pulumitest"
	"agentstack/internal/supplychain"
)

const (
	fullConfigKey   = "agentstack:config"
	fullKeysKey     = "agentstack:providerKeys"
	fullJWTKey      = "agentstack:jwtKeys"
	fullSigningKey  = "agentstack:signingKey"
	fullTokenKey    = "agentstack:signupToken"
	fullPasswordKey = "agentstack:registryPassword"
	fullWebhookKey  = "agentstack:alertWebhookUrl"
)

// stackConfig returns the configuration in Pulumi.<stack>.yaml, with the secrets that a user adds to it.
func stackConfig(t *testing.T, stack string) pulumitest.Config {
	t.Helper()
	content, err := os.ReadFile("../Pulumi." + stack + ".yaml")
	if err != nil {
		t.Fatalf("read configuration of stack: %v", err)
	}
	var file struct {
		Config map[string]json.RawMessage `json:"config"`
	}
	if err := yaml.UnmarshalStrict(content, &file); err != nil {
		t.Fatalf("parse configuration of stack %s: %v", stack, err)
	}
	config := pulumitest.Config{Values: map[string]string{fullConfigKey: string(file.Config[fullConfigKey])}}
	if stack != EnvironmentLocal {
		config.Values[fullKeysKey] = `{"openai": "sk-secret", "anthropic": "sk-ant-secret"}`
		config.Values[fullWebhookKey] = "https://hooks.example.com/token-secret"
		config.Secret = []string{fullKeysKey, fullWebhookKey}
	}
	return config
}

// edit returns the configuration with the value at path, keys separated by dots, replaced; nil removes it.
func edit(t *testing.T, config pulumitest.Config, path string, value any) pulumitest.Config {
	t.Helper()
	var document map[string]any
	if err := json.Unmarshal([]byte(config.Values[fullConfigKey]), &document); err != nil {
		t.Fatalf("parse configuration: %v", err)
	}
	keys := strings.Split(path, ".")
	object := document
	for _, key := range keys[:len(keys)-1] {
		child, isObject := object[key].(map[string]any)
		if !isObject {
			child = map[string]any{}
			object[key] = child
		}
		object = child
	}
	object[keys[len(keys)-1]] = value
	if value == nil {
		delete(object, keys[len(keys)-1])
	}
	encoded, err := json.Marshal(document)
	if err != nil {
		t.Fatalf("encode configuration: %v", err)
	}
	config.Values[fullConfigKey] = string(encoded)
	return config
}

// problems deploys with the configuration, checks that nothing was registered, and returns the lines of the
// error.
func problems(t *testing.T, config pulumitest.Config) []string {
	t.Helper()
	recording, err := pulumitest.Run(Deploy, true, config)
	if len(recording.Resources) > 0 && err != nil {
		t.Errorf("registered with a bad configuration: %v", recording.References())
	}
	if err == nil {
		return nil
	}
	_, list, _ := strings.Cut(err.Error(), "problem(s):\n")
	return strings.Split(strings.TrimSpace(list), "\n")
}

func TestStackFilesAreValid(t *testing.T) {
	for _, stack := range environments {
		t.Run(stack, func(t *testing.T) {
			if got := problems(t, stackConfig(t, stack)); got != nil {
				t.Errorf("problems: %q", got)
			}
		})
	}
}

func TestAllProblemsAreListedAtOnce(t *testing.T) {
	config := stackConfig(t, EnvironmentStaging)
	config = edit(t, config, "databases", "staging")
	config = edit(t, config, "postgres.instances", "3")
	config = edit(t, config, "postgres.storage.size", "10GB")
	config = edit(t, config, "primaryRegion", "eu-west-1")
	config = edit(t, config, "models.mock", true)
	config = edit(t, config, "models.catalog", nil)
	delete(config.Values, fullWebhookKey)
	var paths []string
	for _, problem := range problems(t, config) {
		path, _, _ := strings.Cut(problem, ": ")
		paths = append(paths, path)
	}
	want := []string{
		"databases", "postgres.instances", "primaryRegion", "postgres.storage.size", "models.mock", fullWebhookKey,
	}
	if !slices.Equal(paths, want) {
		t.Errorf("paths = %q, want %q", paths, want)
	}
}

func TestMissingOrMalformedObject(t *testing.T) {
	tests := map[string]struct {
		values map[string]string
		want   string
	}{
		"missing": {nil, "agentstack:config is missing from Pulumi.test.yaml"},
		"plain text": {
			map[string]string{fullConfigKey: "local"},
			`agentstack:config: Invalid value: "local": must be an object`,
		},
		"list": {
			map[string]string{fullConfigKey: "[]"},
			`agentstack:config: Invalid value: []: must be an object`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			recording, err := pulumitest.Run(Deploy, false, pulumitest.Config{Values: test.values})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want it to contain %q", err, test.want)
			}
			if len(recording.Resources) > 0 {
				t.Errorf("registered %v", recording.References())
			}
		})
	}
}

func TestBadSecretIsRefused(t *testing.T) {
	secret := func(key, value string) func(*pulumitest.Config) {
		return func(config *pulumitest.Config) {
			config.Values[key] = value
			config.Secret = append(config.Secret, key)
		}
	}
	long := strings.Repeat("k", 32)
	key, err := supplychain.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		damage func(*pulumitest.Config)
		want   string
	}{
		"missing keys": {
			func(config *pulumitest.Config) { config.Values[fullKeysKey] = `{"anthropic": "sk-ant-secret"}` },
			"agentstack:providerKeys.openai: Required value: the provider needs a key: run " +
				"`pulumi config set --secret --path 'agentstack:providerKeys.openai'`",
		},
		"key of nobody": {
			secret(fullKeysKey, `{"openai": "sk-secret", "anthropic": "sk-ant-secret", "azure": "sk-azure"}`),
			`agentstack:providerKeys.azure: Unsupported value: "azure": supported values: "openai", "anthropic"`,
		},
		"empty key": {
			secret(fullKeysKey, `{"openai": "", "anthropic": "sk-ant-secret"}`),
			"agentstack:providerKeys.openai: Forbidden: must not be empty",
		},
		"plain keys": {
			func(config *pulumitest.Config) { config.Secret = []string{fullWebhookKey} },
			"agentstack:providerKeys: Forbidden: must not be stored in plain text: run `pulumi config set --secret",
		},
		"plain webhook": {
			func(config *pulumitest.Config) { config.Secret = []string{fullKeysKey} },
			"agentstack:alertWebhookUrl: Forbidden: must not be stored in plain text",
		},
		"plain password": {
			func(config *pulumitest.Config) { config.Values[fullPasswordKey] = "hunter2" },
			"agentstack:registryPassword: Forbidden: must not be stored in plain text",
		},
		"plain signing key": {
			func(config *pulumitest.Config) { config.Values[fullJWTKey] = long },
			"agentstack:jwtKeys: Forbidden: must not be stored in plain text",
		},
		"plain key of images": {
			func(config *pulumitest.Config) { config.Values[fullSigningKey] = key },
			"agentstack:signingKey: Forbidden: must not be stored in plain text",
		},
		"no key of images": {
			secret(fullSigningKey, "sk-private"),
			"agentstack:signingKey: Forbidden: ",
		},
		"plain token": {
			func(config *pulumitest.Config) { config.Values[fullTokenKey] = long },
			"agentstack:signupToken: Forbidden: must not be stored in plain text",
		},
		"short signing key": {
			secret(fullJWTKey, long+",sk-short"),
			"agentstack:jwtKeys: Forbidden: key 2 has 8 characters: give keys of at least 32, separated by commas",
		},
		"short signing key in a list": {
			secret(fullJWTKey, `["sk-short", "`+long+`"]`),
			"agentstack:jwtKeys: Forbidden: key 1 has 8 characters",
		},
		"short token": {
			secret(fullTokenKey, "sk-short"),
			"agentstack:signupToken: Forbidden: has 8 characters: give at least 16",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := stackConfig(t, EnvironmentStaging)
			test.damage(&config)
			got := problems(t, config)
			if len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
				t.Errorf("problems = %q, want only %q", got, test.want)
			}
			if strings.Contains(strings.Join(got, ""), "sk-") {
				t.Errorf("a secret is shown: %q", got)
			}
		})
	}
}

func TestKeysThatAreNoObject(t *testing.T) {
	config := stackConfig(t, EnvironmentStaging)
	config.Values[fullKeysKey] = "sk-secret"
	got := strings.Join(problems(t, config), "\n")
	if want := "agentstack:providerKeys: Forbidden: must be an object"; !strings.HasPrefix(got, want) {
		t.Errorf("problems:\n%s\nwant first:\n%s", got, want)
	}
	if strings.Contains(got, "sk-") {
		t.Errorf("the key is shown:\n%s", got)
	}
}

func TestUnknownKeyDoesNotShowItsValue(t *testing.T) {
	config := edit(t, stackConfig(t, EnvironmentStaging), "models.apiKey", "sk-in-the-wrong-place")
	if got := strings.Join(problems(t, config), "\n"); strings.Contains(got, "sk-in-the-wrong-place") {
		t.Errorf("the error shows the value of an unknown key:\n%s", got)
	}
}
