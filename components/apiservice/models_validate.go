package apiservice

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	maxRetries       = 10
	minContextTokens = 1024
)

var kinds = []string{KindOpenAI, KindAnthropic}

// Validate reports every problem of the models, each led by the path of its field below path.
func (m Models) Validate(path *field.Path) field.ErrorList {
	m = m.withDefaults()
	problems := field.ErrorList{}
	if len(m.Providers) == 0 {
		problems = append(problems, field.Required(path.Child("providers"), "give at least one model server"))
	}
	var providers []string
	for i, provider := range m.Providers {
		at := path.Child("providers").Index(i)
		problems = append(problems, provider.validate(at)...)
		if provider.Name != "" && slices.Contains(providers, provider.Name) {
			problems = append(problems, field.Duplicate(at.Child("name"), provider.Name))
		}
		providers = append(providers, provider.Name)
	}
	if len(m.Catalog) == 0 {
		problems = append(problems, field.Required(path.Child("catalog"), "give at least one model"))
	}
	var names []string
	for i, model := range m.Catalog {
		at := path.Child("catalog").Index(i)
		problems = append(problems, model.validate(at, providers)...)
		if model.Name != "" && slices.Contains(names, model.Name) {
			problems = append(problems, field.Duplicate(at.Child("name"), model.Name))
		}
		names = append(names, model.Name)
	}
	served := func(name string) bool {
		prefix, wild := strings.CutSuffix(name, "*")
		return name == m.EmbeddingModel || wild && strings.HasPrefix(m.EmbeddingModel, prefix)
	}
	if m.EmbeddingModel != "" && len(names) > 0 && !slices.ContainsFunc(names, served) {
		problems = append(problems, field.NotSupported(path.Child("embeddingModel"), m.EmbeddingModel, names))
	}
	return problems
}

func (p Provider) validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	if p.Name == "" {
		problems = append(problems, field.Required(path.Child("name"), "give the provider a name, such as openai"))
	} else {
		for _, detail := range validation.IsDNS1035Label(p.Name) {
			problems = append(problems, field.Invalid(path.Child("name"), p.Name, detail))
		}
	}
	switch {
	case p.Kind == "":
		problems = append(problems, field.Required(path.Child("kind"), fmt.Sprintf("give one of %q", kinds)))
	case !slices.Contains(kinds, p.Kind):
		problems = append(problems, field.NotSupported(path.Child("kind"), p.Kind, kinds))
	}
	problems = append(problems, validateBaseURL(path.Child("baseUrl"), p.BaseURL)...)
	if timeout, err := time.ParseDuration(p.Timeout); err != nil || timeout < time.Second {
		problems = append(problems, field.Invalid(path.Child("timeout"), p.Timeout,
			"must be a duration of at least a second, such as 30s or 5m"))
	}
	if p.Retries < 0 || p.Retries > maxRetries {
		problems = append(problems, field.Invalid(path.Child("retries"), p.Retries,
			fmt.Sprintf("must be at least 1 and at most %d", maxRetries)))
	}
	return problems
}

// validateBaseURL reports a model server's URL that is missing or is not an absolute HTTP URL.
func validateBaseURL(path *field.Path, value string) field.ErrorList {
	const allowed = "give an absolute URL, such as https://api.openai.com/v1 or https://api.anthropic.com"
	if value == "" {
		return field.ErrorList{field.Required(path, allowed)}
	}
	parsed, err := url.Parse(value)
	if err != nil || parsed.Host == "" || !slices.Contains([]string{"http", "https"}, parsed.Scheme) {
		return field.ErrorList{field.Invalid(path, value, allowed)}
	}
	if parsed.RawQuery != "" || parsed.Fragment != "" {
		return field.ErrorList{field.Invalid(path, value, "must not have a query or a fragment")}
	}
	if parsed.User != nil {
		return field.ErrorList{field.Forbidden(path, "must not contain credentials: they belong into providerKeys")}
	}
	return nil
}

func (m Model) validate(path *field.Path, providers []string) field.ErrorList {
	problems := field.ErrorList{}
	switch {
	case m.Name == "":
		problems = append(problems, field.Required(path.Child("name"), "give the model a name, such as gpt-4o"))
	case strings.Contains(strings.TrimSuffix(m.Name, "*"), "*"):
		problems = append(problems, field.Invalid(path.Child("name"), m.Name, "must have a * at its end only"))
	}
	if len(m.Routes) == 0 {
		problems = append(problems, field.Required(path.Child("routes"), "give at least one provider"))
	}
	for i, route := range m.Routes {
		at := path.Child("routes").Index(i).Child("provider")
		switch {
		case route.Provider == "":
			problems = append(problems, field.Required(at, fmt.Sprintf("give one of %q", providers)))
		case !slices.Contains(providers, route.Provider):
			problems = append(problems, field.NotSupported(at, route.Provider, providers))
		}
	}
	if m.ContextTokens < minContextTokens {
		problems = append(problems, field.Invalid(path.Child("contextTokens"), m.ContextTokens,
			fmt.Sprintf("must be at least %d", minContextTokens)))
	}
	const negative = "must not be negative"
	if m.InputPrice < 0 {
		problems = append(problems, field.Invalid(path.Child("inputPrice"), m.InputPrice, negative))
	}
	if m.OutputPrice < 0 {
		problems = append(problems, field.Invalid(path.Child("outputPrice"), m.OutputPrice, negative))
	}
	return problems
}

// ValidateKeys reports the keys of providers that are missing and those that no provider has use for. It shows no key.
func (m Models) ValidateKeys(path *field.Path, keys map[string]pulumi.StringInput) field.ErrorList {
	problems := field.ErrorList{}
	var names []string
	for _, provider := range m.Providers {
		at := path.Child(provider.Name)
		if keys[provider.Name] == nil && provider.needsKey() {
			problems = append(problems, field.Required(at, "the provider needs a key: run "+
				"`pulumi config set --secret --path '"+at.String()+"'`"))
		}
		names = append(names, provider.Name)
	}
	for _, name := range sortedKeys(keys) {
		if !slices.Contains(names, name) {
			problems = append(problems, field.NotSupported(path.Child(name), name, names))
		}
	}
	return problems
}
