// Command pack is a policy pack for the tests: it refuses a resource that is named "away".
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/policyx"
)

func main() {
	if err := policyx.Main(newPack); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func newPack(*pulumi.Context) (policyx.PolicyPack, error) {
	policy := policyx.NewResourceValidationPolicy("not-away", policyx.ResourceValidationPolicyArgs{
		EnforcementLevel: policyx.EnforcementLevelMandatory,
		ValidateResource: func(_ context.Context, args policyx.ResourceValidationArgs) error {
			if args.Resource.Type == "kubernetes:core/v1:Namespace" && args.Resource.Name == "away" {
				args.Manager.ReportViolation("stay here", args.Resource.URN)
			}
			return nil
		},
	})
	return policyx.NewPolicyPack("tests", semver.MustParse("1.0.0"), policyx.EnforcementLevelMandatory,
		[]policyx.Policy{policy})
}
