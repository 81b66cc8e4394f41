package apiservice

import (
	"context"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/supplychain"
)

// Attach puts what proves an image's origin beside it in its registry, unless it is there.
type Attach func(ctx context.Context, image supplychain.Image, key supplychain.Key) error

// signed returns the reference of the image once it is signed, so that nothing runs it before. A preview signs nothing.
func signed(ctx *pulumi.Context, reference pulumi.StringOutput, args ImageArgs) pulumi.StringOutput {
	login := Login{Username: pulumi.String(""), Password: pulumi.String("")}
	if args.Login != nil {
		login = *args.Login
	}
	attach := args.Attach
	if attach == nil {
		attach = supplychain.Attach
	}
	// Not pulumix.Apply4Err: it drops the dependencies of inputs behind one that is not known yet.
	result := pulumi.All(reference, args.Key.private, login.Username, login.Password).ApplyT(
		func(known []any) (string, error) {
			reference := known[0].(string)
			if ctx.DryRun() {
				return reference, nil
			}
			key, err := supplychain.ParseKey(known[1].(string))
			if err != nil {
				return "", err
			}
			image := supplychain.Image{Reference: reference, Username: known[2].(string), Password: known[3].(string)}
			return reference, attach(ctx.Context(), image, key)
		})
	// The key and the password are secret, and so is what is made with them; the reference is not made of them.
	return pulumi.Unsecret(result).(pulumi.StringOutput)
}
