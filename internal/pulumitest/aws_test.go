package pulumitest

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// inIreland runs a program with an AWS provider for eu-west-1.
func inIreland(body func(ctx *pulumi.Context, provider *aws.Provider) error) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		provider, err := aws.NewProvider(ctx, "aws-eu-west-1", &aws.ProviderArgs{Region: pulumi.String("eu-west-1")})
		if err != nil {
			return err
		}
		return body(ctx, provider)
	}
}

func TestLookupsAnswerForTheProvidersRegion(t *testing.T) {
	for name, run := range map[string]func(testing.TB, pulumi.RunFunc, ...Config) *Recording{
		"up": Up, "preview": Preview,
	} {
		t.Run(name, func(t *testing.T) {
			run(t, inIreland(func(ctx *pulumi.Context, provider *aws.Provider) error {
				zones, err := aws.GetAvailabilityZones(ctx, nil, pulumi.Provider(provider))
				if err != nil {
					return err
				}
				if want := []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"}; !slices.Equal(zones.Names, want) {
					t.Errorf("zones = %v, want %v", zones.Names, want)
				}
				identity, err := aws.GetCallerIdentity(ctx, nil)
				if err == nil && identity.AccountId != AccountID {
					t.Errorf("account = %q", identity.AccountId)
				}
				return err
			}))
		})
	}
}

func TestUnknownLookupIsRefused(t *testing.T) {
	_, err := Run(func(ctx *pulumi.Context) error {
		_, err := aws.GetBillingServiceAccount(ctx, nil)
		return err
	}, false)
	if err == nil || !strings.Contains(err.Error(), "unexpected provider function aws:index/getBillingServiceAccount") {
		t.Errorf("error = %v, want it to name the function", err)
	}
}

func TestResourcesOfTheCloudHaveWhatItMakes(t *testing.T) {
	recording := Up(t, inIreland(func(ctx *pulumi.Context, provider *aws.Provider) error {
		in := pulumi.Provider(provider)
		bucket, err := s3.NewBucketV2(ctx, "b", &s3.BucketV2Args{Bucket: pulumi.String("backups")}, in)
		if err != nil {
			return err
		}
		images, err := ecr.NewRepository(ctx, "r", &ecr.RepositoryArgs{Name: pulumi.String("api")}, in)
		if err != nil {
			return err
		}
		_, err = s3.NewBucketV2(ctx, "reader", &s3.BucketV2Args{Tags: pulumi.StringMap{
			"arn": bucket.Arn, "images": images.RepositoryUrl,
		}}, in)
		return err
	}))
	tags := recording.Find(t, "aws:s3/bucketV2:BucketV2", "reader")
	for key, want := range map[string]string{
		"arn":    "arn:aws:s3:::backups",
		"images": AccountID + ".dkr.ecr.eu-west-1.amazonaws.com/api",
	} {
		if got := tags.At("tags", key); got != want {
			t.Errorf("%s = %v, want %s", key, got, want)
		}
	}
}
