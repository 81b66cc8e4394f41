package apiservice

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const (
	jwtKeysVariable     = "JWT_KEYS"
	signupTokenVariable = "SIGNUP_TOKEN"
)

// credentials are what the API itself checks clients with.
type credentials struct {
	jwtKeys, signupToken pulumi.StringOutput
}

func (r registration) credentials() (credentials, error) {
	jwtKeys, err := r.credential("jwt-keys", jwtKeysVariable, r.args.JWTKeys)
	if err != nil {
		return credentials{}, err
	}
	signupToken, err := r.credential("signup-token", signupTokenVariable, r.args.SignupToken)
	return credentials{jwtKeys: jwtKeys, signupToken: signupToken}, err
}

// credential registers a Secret that keeps a value, which it makes unless one is given. A region has the Secrets as a
// standby too: when it becomes the primary one, it goes on with what they hold.
func (r registration) credential(role, key string, value pulumi.StringInput) (pulumi.StringOutput, error) {
	opts := []pulumi.ResourceOption{r.parent}
	if value == nil {
		generated, keep := kube.Generate()
		value, opts = generated, append(opts, keep)
	}
	secret, err := kube.NewSecret(r.ctx, r.name+"-"+role, metadata(r.args, "ai-agent-"+role),
		pulumi.StringMap{key: value}, opts...)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return kube.Decoded(secret, key), nil
}
