package config

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"agentstack/app/internal/testenv"
)

const models = `{
	"providers": [
		{"name": "openai", "kind": "openai", "baseUrl": "https://api.openai.com/v1", "timeout": "90s", "retries": 0},
		{"name": "my-claude", "kind": "anthropic", "baseUrl": "https://api.anthropic.com"}
	],
	"models": [
		{
			"name": "gpt-4o",
			"routes": [{"provider": "openai"}, {"provider": "my-claude", "model": "claude"}],
			"inputPrice": 2.5
		},
		{"name": "text-*", "routes": [{"provider": "openai"}], "contextTokens": 8192}
	],
	"embeddingModel": "text-embedding-3-small"
}`

// serveVariables is the smallest complete configuration, some of it replaced.
func serveVariables(replaced map[string]string) Env {
	variables := map[string]string{
		"DATABASE_URL": "postgres://user:hidden@host/db",
		"REDIS_ADDRS":  "redis:6379",
		"MODELS":       models,
		"JWT_KEYS":     strings.Repeat("k", 32),
	}
	maps.Copy(variables, replaced)
	return func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
}

func TestServeDefaults(t *testing.T) {
	config, err := ReadServe(serveVariables(map[string]string{"OPENAI_API_KEY": "sk-1", "MY_CLAUDE_API_KEY": "sk-2"}))
	if err != nil {
		t.Fatal(err)
	}
	openai, claude := config.Models.Providers[0], config.Models.Providers[1]
	if openai.Timeout != 90*time.Second || openai.Retries != 0 || openai.APIKey != "sk-1" {
		t.Errorf("openai: %s, %d retries, wrong key: %t", openai.Timeout, openai.Retries, openai.APIKey != "sk-1")
	}
	if claude.Timeout != 5*time.Minute || claude.Retries != 2 || claude.APIKey != "sk-2" {
		t.Errorf("claude: %s, %d retries, wrong key: %t", claude.Timeout, claude.Retries, claude.APIKey != "sk-2")
	}
	if tokens := config.Models.Models[0].ContextTokens; tokens != 128_000 {
		t.Errorf("context of %d tokens, want 128000", tokens)
	}
	if !config.StoreExchanges || config.MaxStreams != 2000 || config.CacheTTL != 5*time.Minute ||
		config.ProfileAddr != "" || config.TracesEndpoint != "" || config.SignUpToken != "" {
		t.Errorf("other defaults: %t %d %s %q %q %q", config.StoreExchanges, config.MaxStreams, config.CacheTTL,
			config.ProfileAddr, config.TracesEndpoint, config.SignUpToken)
	}
}

// TestDatabaseURLs reads the URLs that the cluster's Secrets have.
func TestDatabaseURLs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.crt")
	testenv.NewAuthority(t).WriteFile(t, file)
	for _, parameters := range []string{"", "&role=ai_agent", "&pool_max_conns=20"} {
		url := "postgresql://ai_agent_1:hidden@ai-agent-db-rw.ns:5432/ai_agent?sslmode=verify-full&sslrootcert=" + file
		env := serveVariables(map[string]string{"DATABASE_URL": url + parameters, "REDIS_CA_FILE": file})
		config, err := ReadServe(env)
		if err != nil || config.DatabaseURL != url+parameters || config.Redis.CAFile != file {
			t.Errorf("%s: error %v", parameters, err)
		}
		if _, err := ReadMigrate(env); err != nil {
			t.Errorf("%s: %v", parameters, err)
		}
	}
}

func TestBadServeVariables(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(models, old, new, 1) }
	tests := map[string]struct{ variable, value, problem string }{
		"no JSON":            {"MODELS", "{", "MODELS: not the JSON"},
		"unknown key":        {"MODELS", replace("retries", "retry"), `unknown field "retry"`},
		"no model":           {"MODELS", `{"providers":[],"models":[]}`, "MODELS.models: give at least one"},
		"kind":               {"MODELS", replace(`"kind": "openai"`, `"kind": "azure"`), `providers[0].kind: "azure"`},
		"provider's name":    {"MODELS", replace(`"my-claude"`, `"My Claude"`), "providers[1].name"},
		"two alike":          {"MODELS", replace(`"my-claude"`, `"openai"`), "no provider before has"},
		"key in URL":         {"MODELS", replace("api.openai", "hidden:hidden@api.openai"), "not contain credentials"},
		"timeout":            {"MODELS", replace("90s", "90"), "providers[0].timeout"},
		"retries":            {"MODELS", replace(`"retries": 0`, `"retries": 11`), "want 0 to 10"},
		"route to nowhere":   {"MODELS", replace(`"provider": "openai"`, `"provider": "no"`), "routes[0].provider"},
		"star in the middle": {"MODELS", replace("text-*", "te*t-*"), "models[1].name"},
		"small context":      {"MODELS", replace("8192", "10"), "contextTokens: \"10\" given; want at least 1024"},
		"negative price":     {"MODELS", replace("2.5", "-1"), "prices cannot be negative"},
		"embedding model":    {"MODELS", replace("text-embedding-3-small", "other"), "embeddingModel"},
		"short JWT key":      {"JWT_KEYS", strings.Repeat("k", 32) + ",hidden", "JWT_KEYS: want keys of at least 32"},
		"public profiles":    {"PPROF_ADDR", ":6060", "want a loopback address"},
		"streams":            {"MAX_STREAMS", "0", "MAX_STREAMS"},
		"storage":            {"STORE_EXCHANGES", "yes", "want true or false"},
		"traces":             {"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT"},
		"cache":              {"CACHE_TTL", "-1s", "CACHE_TTL"},
		"no authority": {
			"DATABASE_URL", "postgres://u:hidden@h/db?sslmode=verify-full&sslrootcert=/nowhere/ca.crt",
			"open /nowhere/ca.crt: no such file or directory; mount",
		},
		"odd authority": {
			"DATABASE_URL", "postgres://u:hidden@h/db?sslmode=verify-full&sslrootcert=serve_test.go", "files they name",
		},
		"password in the port":   {"DATABASE_URL", "postgres://u@h:hidden/db", "DATABASE_URL: want postgres://"},
		"no authority of Redis":  {"REDIS_CA_FILE", "/nowhere/ca.crt", "no such file"},
		"odd authority of Redis": {"REDIS_CA_FILE", "serve_test.go", "want a file with certificates"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ReadServe(serveVariables(map[string]string{test.variable: test.value}))
			if err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Fatalf("error %v, want %q in it", err, test.problem)
			}
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}
