package stacks

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	configNamespace     = "agentstack"
	configKey           = "config"
	providerKeysKey     = "providerKeys"
	jwtKeysKey          = "jwtKeys"
	signupTokenKey      = "signupToken"
	signingKeyKey       = "signingKey"
	registryPasswordKey = "registryPassword"
	alertWebhookURLKey  = "alertWebhookUrl"
)

// LoadConfig reads and checks the configuration of the stack. Its error lists every problem, one a line,
// each led by the path of what is wrong.
func LoadConfig(ctx *pulumi.Context) (Config, error) {
	settings := config.New(ctx, configNamespace)
	raw, err := settings.Try(configKey)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration of stack %s: %s:%s is missing from Pulumi.%s.yaml; "+
			"Pulumi.local.yaml shows its form", ctx.Stack(), configNamespace, configKey, ctx.Stack())
	}
	loaded, problems := decode([]byte(raw))
	var badSecrets field.ErrorList
	loaded.secrets, badSecrets = readSecrets(ctx)
	problems = merge(problems, slices.Concat(loaded.validate(),
		loaded.validateHosts(".", ctx.Stack()), badSecrets, checkSecrets(ctx, loaded)))
	if len(problems) > 0 {
		return Config{}, fmt.Errorf("check configuration of stack %s, %d problem(s):\n%w",
			ctx.Stack(), len(problems), join(problems))
	}
	return loaded, nil
}

// decode turns the JSON form, in which Pulumi passes the object, into a Config. What has the wrong form is
// reported and left out.
func decode(raw []byte) (Config, field.ErrorList) {
	document, problems := cleanShape(raw, Config{})
	cleaned, err := json.Marshal(document)
	if err != nil {
		return Config{}, append(problems, field.InternalError(nil, err))
	}
	var decoded Config
	if err := json.Unmarshal(cleaned, &decoded); err != nil {
		return Config{}, append(problems, field.InternalError(nil, err))
	}
	return decoded, problems
}

// merge appends the later problems, except those that are there only because an earlier one left the value
// out.
func merge(earlier, later field.ErrorList) field.ErrorList {
	merged := slices.Clone(earlier)
	for _, problem := range later {
		follows := func(cause *field.Error) bool {
			rest, within := strings.CutPrefix(problem.Field, cause.Field)
			return within && (rest == "" || rest[0] == '.' || rest[0] == '[')
		}
		if !slices.ContainsFunc(earlier, follows) {
			merged = append(merged, problem)
		}
	}
	return merged
}

func join(problems field.ErrorList) error {
	var errs []error
	for _, problem := range problems {
		errs = append(errs, problem)
	}
	return errors.Join(errs...)
}
