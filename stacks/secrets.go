package stacks

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/apiservice"
)

const (
	// minJWTKey is what HS256 needs at least. https://datatracker.ietf.org/doc/html/rfc7518#section-3.2
	minJWTKey      = 32
	minSignupToken = 16
)

func secretPath(key string) *field.Path { return field.NewPath(configNamespace + ":" + key) }

// readSecrets reads the secrets of the stack. Its problems never show a value.
func readSecrets(ctx *pulumi.Context) (secrets, field.ErrorList) {
	read := func(key string) pulumi.StringInput {
		if value, given := ctx.GetConfig(configNamespace + ":" + key); given {
			return pulumi.ToSecret(pulumi.String(value)).(pulumi.StringOutput)
		}
		return nil
	}
	found := secrets{
		signupToken:      read(signupTokenKey),
		signingKey:       read(signingKeyKey),
		registryPassword: read(registryPasswordKey),
		alertWebhookURL:  read(alertWebhookURLKey),
	}
	keys, problems := readProviderKeys(ctx)
	found.providerKeys = keys
	if value, given := ctx.GetConfig(configNamespace + ":" + jwtKeysKey); given {
		keys := jwtKeys(value)
		for i, key := range keys {
			if len(key) < minJWTKey {
				detail := "key %d has %d characters: give keys of at least %d, separated by commas"
				problems = append(problems, field.Forbidden(secretPath(jwtKeysKey),
					fmt.Sprintf(detail, i+1, len(key), minJWTKey)))
			}
		}
		found.jwtKeys = pulumi.ToSecret(pulumi.String(strings.Join(keys, ","))).(pulumi.StringOutput)
	}
	if value, _ := ctx.GetConfig(configNamespace + ":" + signupTokenKey); value != "" && len(value) < minSignupToken {
		problems = append(problems, field.Forbidden(secretPath(signupTokenKey), fmt.Sprintf(
			"has %d characters: give at least %d, or none, so that nobody can sign up", len(value), minSignupToken)))
	}
	if value, given := ctx.GetConfig(configNamespace + ":" + signingKeyKey); given {
		problems = append(problems, apiservice.ValidateSigningKey(secretPath(signingKeyKey), value)...)
	}
	return found, problems
}

// jwtKeys takes keys apart that are a list, or text with commas.
func jwtKeys(value string) []string {
	var list []string
	if err := json.Unmarshal([]byte(value), &list); err == nil {
		value = strings.Join(list, ",")
	}
	return strings.Split(value, ",")
}

func readProviderKeys(ctx *pulumi.Context) (map[string]pulumi.StringInput, field.ErrorList) {
	raw, given := ctx.GetConfig(configNamespace + ":" + providerKeysKey)
	if !given {
		return nil, nil
	}
	path := secretPath(providerKeysKey)
	var values map[string]string
	if err := json.Unmarshal([]byte(raw), &values); err != nil {
		return nil, field.ErrorList{field.Forbidden(path, "must be an object of providers' names and their keys: "+
			"run `pulumi config set --secret --path '"+path.String()+".<provider>'`")}
	}
	keys, problems := map[string]pulumi.StringInput{}, field.ErrorList{}
	for name, value := range values {
		if value == "" {
			problems = append(problems, field.Forbidden(path.Child(name), "must not be empty"))
		}
		keys[name] = pulumi.ToSecret(pulumi.String(value)).(pulumi.StringOutput)
	}
	return keys, problems
}

// checkSecrets reports secrets that are missing, not needed, or stored in plain text.
func checkSecrets(ctx *pulumi.Context, c Config) field.ErrorList {
	problems := field.ErrorList{}
	check := func(key string, given, needed bool, reason string) {
		full := configNamespace + ":" + key
		switch {
		case !given && needed:
			problems = append(problems, field.Required(secretPath(key),
				reason+": run `pulumi config set --secret "+full+"`"))
		case given && !ctx.IsConfigSecret(full):
			problems = append(problems, field.Forbidden(secretPath(key),
				"must not be stored in plain text: run `pulumi config set --secret "+full+"`"))
		}
	}
	if len(c.validateModels(nil)) == 0 {
		problems = append(problems, c.Models.ValidateKeys(secretPath(providerKeysKey), c.secrets.providerKeys)...)
	}
	check(providerKeysKey, c.secrets.providerKeys != nil, false, "")
	check(jwtKeysKey, c.secrets.jwtKeys != nil, false, "")
	check(signupTokenKey, c.secrets.signupToken != nil, false, "")
	check(signingKeyKey, c.secrets.signingKey != nil, false, "")
	check(registryPasswordKey, c.secrets.registryPassword != nil, c.Image.Username != "", "image.username needs it")
	check(alertWebhookURLKey, c.secrets.alertWebhookURL != nil, c.cloud(), "alerts need a webhook that takes them")
	return problems
}
