package apiservice

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Kinds of providers: the protocol that they speak.
const (
	KindOpenAI    = "openai"
	KindAnthropic = "anthropic"
)

// Models says which models the API offers, and where they are served.
type Models struct {
	// Providers are the model servers. Required unless models.mock is set.
	Providers []Provider `json:"providers"`
	// Catalog lists the models that clients may ask for. Required unless models.mock is set.
	Catalog []Model `json:"catalog"`
	// EmbeddingModel is the model of Catalog that embeds documents and searches; its vectors have 1536 dimensions.
	// Default: none, and there is no retrieval.
	EmbeddingModel string `json:"embeddingModel"`
}

// Provider is a model server.
type Provider struct {
	// Name is a DNS label. The provider's key has the same name in agentstack:providerKeys. Required.
	Name string `json:"name"`
	// Kind is openai, which many servers are compatible with, or anthropic. Required.
	Kind string `json:"kind"`
	// BaseURL is https://api.openai.com/v1 or https://api.anthropic.com, or that of a compatible server. Required.
	BaseURL string `json:"baseUrl"`
	// Timeout of a whole answer, a Go duration. Default 5m.
	Timeout string `json:"timeout"`
	// Retries is how often a call that failed before its answer began is made again, at most 10. Default 2.
	Retries int `json:"retries"`
}

// Model is a model as clients see it.
type Model struct {
	// Name as clients write it. A * at its end stands for any rest: the exact name wins, then the longest beginning.
	// Required.
	Name string `json:"name"`
	// Routes are tried in order: the next one when the one before is down. Required.
	Routes []Route `json:"routes"`
	// ContextTokens bounds prompt and answer together, at least 1024. Default 128000.
	ContextTokens int `json:"contextTokens"`
	// InputPrice is in USD for a million tokens. Default 0.
	InputPrice float64 `json:"inputPrice"`
	// OutputPrice is in USD for a million tokens. Default 0.
	OutputPrice float64 `json:"outputPrice"`
}

// Route leads to a model of a provider.
type Route struct {
	// Provider is the name of one of Providers. Required.
	Provider string `json:"provider"`
	// Model as the provider names it. Default: the name that the client asked for.
	Model string `json:"model"`
}

// keyedHosts answer nobody without a key.
var keyedHosts = []string{"api.openai.com", "api.anthropic.com"}

// needsKey tells whether it is known that the provider refuses requests without a key.
func (p Provider) needsKey() bool {
	parsed, err := url.Parse(p.BaseURL)
	return err == nil && slices.Contains(keyedHosts, parsed.Hostname())
}

// keyVariable is the environment variable that holds the provider's key.
func (p Provider) keyVariable() string {
	return strings.ToUpper(strings.ReplaceAll(p.Name, "-", "_")) + keySuffix
}

const keySuffix = "_API_KEY"

func (m Models) withDefaults() Models {
	m.Providers, m.Catalog = slices.Clone(m.Providers), slices.Clone(m.Catalog)
	for i := range m.Providers {
		if m.Providers[i].Timeout == "" {
			m.Providers[i].Timeout = "5m"
		}
		if m.Providers[i].Retries == 0 {
			m.Providers[i].Retries = 2
		}
	}
	for i := range m.Catalog {
		if m.Catalog[i].ContextTokens == 0 {
			m.Catalog[i].ContextTokens = 128_000
		}
	}
	return m
}

// document is the value of MODELS.
func (m Models) document() string {
	encoded, err := json.Marshal(struct {
		Providers      []Provider `json:"providers"`
		Models         []Model    `json:"models"`
		EmbeddingModel string     `json:"embeddingModel"`
	}{m.Providers, m.Catalog, m.EmbeddingModel})
	if err != nil {
		panic(fmt.Sprintf("encode models, of which Validate has seen each: %v", err))
	}
	return string(encoded)
}

// keys returns the keys of the providers by their environment variables.
func (a Args) keys() pulumi.StringMap {
	keys := pulumi.StringMap{}
	for _, provider := range a.Models.Providers {
		if key, given := a.ProviderKeys[provider.Name]; given {
			keys[provider.keyVariable()] = key
		}
	}
	return keys
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
