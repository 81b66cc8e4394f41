package apiservice

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumix"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/internal/supplychain"
)

// SigningKey signs images.
type SigningKey struct {
	// private is secret, in PEM.
	private pulumi.StringOutput
	// Public is its other half in PEM, as `cosign verify --key` takes it. Not secret.
	Public pulumi.StringOutput
}

// ValidateSigningKey reports a private key that cannot sign, without showing it.
func ValidateSigningKey(path *field.Path, private string) field.ErrorList {
	if _, err := supplychain.ParseKey(private); err != nil {
		return field.ErrorList{field.Forbidden(path, err.Error())}
	}
	return nil
}

// NewSigningKey returns the given private key, in PEM, or, where that is nil, one that the stack keeps. Each run of the
// program makes such a key and the first one stays: it lives in the stack's state alone, encrypted, since nothing in a
// cluster needs it. For a new one, give a key in one update and none in the next.
func NewSigningKey(ctx *pulumi.Context, name string, given pulumi.StringInput, opts ...pulumi.ResourceOption,
) (*SigningKey, error) {
	if given == nil {
		generated, err := supplychain.NewKey()
		if err != nil {
			return nil, fmt.Errorf("make signing key %s: %w", name, err)
		}
		kept, err := pulumi.NewStash(ctx, name, &pulumi.StashArgs{Input: pulumi.ToSecret(pulumi.String(generated))},
			append(opts, pulumi.IgnoreChanges([]string{"input"}))...)
		if err != nil {
			return nil, fmt.Errorf("register signing key %s: %w", name, err)
		}
		given = pulumix.Cast[pulumi.StringOutput](pulumix.ApplyErr[any](kept.Output, func(value any) (string, error) {
			text, isText := value.(string)
			if !isText {
				return "", fmt.Errorf("read signing key %s: the state has none", name)
			}
			return text, nil
		}))
	}
	private := pulumi.ToSecret(given).(pulumi.StringOutput)
	public := pulumix.ApplyErr(private, func(text string) (string, error) {
		key, err := supplychain.ParseKey(text)
		if err != nil {
			return "", fmt.Errorf("read signing key %s: %w", name, err)
		}
		return key.PublicKey()
	})
	return &SigningKey{
		private: private,
		Public:  pulumi.Unsecret(pulumix.Cast[pulumi.StringOutput](public)).(pulumi.StringOutput),
	}, nil
}
