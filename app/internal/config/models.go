package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"agentstack/app/agent"
)

// Kinds of providers.
const (
	KindOpenAI    = "openai" // and whatever is compatible with it
	KindAnthropic = "anthropic"
)

const (
	defaultTimeout       = 5 * time.Minute
	defaultRetries       = 2
	maxRetries           = 10
	defaultContextTokens = 128_000
	minContextTokens     = 1024
)

var providerName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Models is the catalog of models and the providers behind them: MODELS, required, a JSON object.
type Models struct {
	Providers []Provider
	Models    []agent.ModelSpec
	// EmbeddingModel embeds documents and searches. Empty: there is no retrieval.
	EmbeddingModel string
}

// Provider is a model server.
type Provider struct {
	// Name is a DNS label; the key is in <NAME>_API_KEY, in upper case with _ for -.
	Name string
	// Kind is openai or anthropic.
	Kind string
	// BaseURL as its SDK wants it: https://api.openai.com/v1, https://api.anthropic.com.
	BaseURL string
	// Timeout of a whole answer, default 5m.
	Timeout time.Duration
	// Retries of a call that failed before its answer began, default 2, at most 10.
	Retries int
	// APIKey may be empty for servers that need none.
	APIKey string
}

// modelsDocument is the JSON of MODELS.
type modelsDocument struct {
	Providers []struct {
		Name    string `json:"name"`
		Kind    string `json:"kind"`
		BaseURL string `json:"baseUrl"`
		Timeout string `json:"timeout"`
		Retries *int   `json:"retries"`
	} `json:"providers"`
	Models         []agent.ModelSpec `json:"models"`
	EmbeddingModel string            `json:"embeddingModel"`
}

func (r *reader) models(name string) Models {
	value := r.required(name)
	if value == "" {
		return Models{}
	}
	var document modelsDocument
	decoder := json.NewDecoder(bytes.NewReader([]byte(value)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&document); err != nil {
		r.secret(name, fmt.Sprintf("not the JSON of providers and models: %v", err))
		return Models{}
	}
	models := Models{Models: document.Models, EmbeddingModel: document.EmbeddingModel}
	for i, given := range document.Providers {
		path := fmt.Sprintf("%s.providers[%d]", name, i)
		provider := Provider{
			Name: given.Name, Kind: given.Kind, BaseURL: given.BaseURL,
			Timeout: defaultTimeout, Retries: defaultRetries,
		}
		r.providerName(path+".name", given.Name, models.Providers)
		if given.Kind != KindOpenAI && given.Kind != KindAnthropic {
			r.problem(path+".kind", given.Kind, "want openai or anthropic")
		}
		r.checkURL(path+".baseUrl", given.BaseURL)
		if given.Timeout != "" {
			provider.Timeout = r.parseDuration(path+".timeout", given.Timeout, time.Second)
		}
		if given.Retries != nil {
			provider.Retries = *given.Retries
		}
		if provider.Retries < 0 || provider.Retries > maxRetries {
			r.problem(path+".retries", fmt.Sprint(provider.Retries), fmt.Sprintf("want 0 to %d", maxRetries))
		}
		provider.APIKey = r.text(apiKeyVariable(given.Name), "")
		models.Providers = append(models.Providers, provider)
	}
	for i := range models.Models {
		r.model(fmt.Sprintf("%s.models[%d]", name, i), models, i)
	}
	if len(models.Models) == 0 {
		r.secret(name+".models", "give at least one model")
	}
	if e := models.EmbeddingModel; e != "" && !slices.ContainsFunc(models.Models, func(m agent.ModelSpec) bool {
		prefix, wild := strings.CutSuffix(m.Name, "*")
		return m.Name == e || wild && strings.HasPrefix(e, prefix)
	}) {
		r.problem(name+".embeddingModel", e, "want one of the models")
	}
	return models
}

// apiKeyVariable is where the key of a provider is.
func apiKeyVariable(provider string) string {
	return strings.ToUpper(strings.ReplaceAll(provider, "-", "_")) + "_API_KEY"
}

func (r *reader) providerName(path, name string, before []Provider) {
	switch {
	case !providerName.MatchString(name):
		r.problem(path, name, "want lower-case letters, digits and dashes, at most 63")
	case slices.ContainsFunc(before, func(p Provider) bool { return p.Name == name }):
		r.problem(path, name, "want a name that no provider before has")
	}
}

// model checks one model and fills in its defaults.
func (r *reader) model(path string, models Models, index int) {
	model := &models.Models[index]
	if strings.Trim(model.Name, "*") == "" && model.Name != "*" ||
		strings.Contains(strings.TrimSuffix(model.Name, "*"), "*") {
		r.problem(path+".name", model.Name, "want a name, or the beginning of one and a *")
	}
	if slices.ContainsFunc(models.Models[:index], func(m agent.ModelSpec) bool { return m.Name == model.Name }) {
		r.problem(path+".name", model.Name, "want a name that no model before has")
	}
	if len(model.Routes) == 0 {
		r.secret(path+".routes", "give at least one provider")
	}
	for i, route := range model.Routes {
		if !slices.ContainsFunc(models.Providers, func(p Provider) bool { return p.Name == route.Provider }) {
			r.problem(fmt.Sprintf("%s.routes[%d].provider", path, i), route.Provider, "want the name of a provider")
		}
	}
	if model.ContextTokens == 0 {
		model.ContextTokens = defaultContextTokens
	}
	if model.ContextTokens < minContextTokens {
		wanted := fmt.Sprintf("want at least %d", minContextTokens)
		r.problem(path+".contextTokens", fmt.Sprint(model.ContextTokens), wanted)
	}
	if model.InputPrice < 0 || model.OutputPrice < 0 {
		r.secret(path, "prices cannot be negative")
	}
}

func (r *reader) checkURL(path, value string) {
	parsed, err := url.Parse(value)
	switch {
	case err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "":
		r.secret(path, "want http://host or https://host with a path such as /v1")
	case parsed.User != nil:
		r.secret(path, "must not contain credentials; give the key in <PROVIDER>_API_KEY")
	case parsed.RawQuery != "" || parsed.Fragment != "":
		r.secret(path, "must not have a query or a fragment")
	}
}
