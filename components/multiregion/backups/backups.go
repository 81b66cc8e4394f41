// Package backups makes a bucket in each region for what has to outlive its cluster: the archives of the databases,
// logical backups and logs.
package backups

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/multiregion/internal/cloud"
)

const typeToken = "agentstack:components:Backups"

// Args configures the buckets of a stack.
type Args struct {
	// Prefix begins the buckets' names. Required.
	Prefix string
	// Environment is a tag of the buckets. Required.
	Environment string
	// AccountID is the AWS account of the buckets. Required.
	AccountID string
	// Regions with a bucket, the primary one first. At least one.
	Regions []Region
	// Protect keeps Pulumi from deleting the buckets.
	Protect bool
}

// Region is a region with a bucket.
type Region struct {
	Name     string
	Provider pulumi.ProviderResource
}

// Backups are the buckets of a stack.
type Backups struct {
	pulumi.ResourceState
}

// BucketName returns the name of a region's bucket.
func BucketName(prefix, region string) string { return prefix + "-backups-" + region }

// Validate reports every problem of the arguments, each led by the path of its field below path.
func (a Args) Validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	for name, value := range map[string]string{
		"prefix": a.Prefix, "environment": a.Environment, "accountId": a.AccountID,
	} {
		if value == "" {
			problems = append(problems, field.Required(path.Child(name), "must not be empty"))
		}
	}
	if len(a.Regions) == 0 {
		problems = append(problems, field.Required(path.Child("regions"), "give at least one region"))
	}
	return problems
}

// New registers the buckets. Bad arguments register nothing.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Backups, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("validate arguments of %s: %w", name, err)
	}
	backups := &Backups{}
	if err := ctx.RegisterComponentResource(typeToken, name, backups, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	outputs := pulumi.Map{}
	var versioned []pulumi.Resource
	for _, region := range args.Regions {
		b := bucket{
			ctx: ctx, name: name + "-" + region.Name, args: args,
			scope: cloud.Scope{Environment: args.Environment, Region: region.Name},
			opts:  []pulumi.ResourceOption{pulumi.Parent(backups), pulumi.Provider(region.Provider)},
		}
		versioning, err := b.build()
		if err != nil {
			return nil, err
		}
		versioned = append(versioned, versioning)
		outputs[region.Name] = pulumi.String(b.bucketName())
	}
	for _, r := range replications(args.regionNames()) {
		if err := newReplication(ctx, name, args, r, pulumi.Parent(backups), pulumi.DependsOn(versioned)); err != nil {
			return nil, err
		}
	}
	if err := ctx.RegisterResourceOutputs(backups, pulumi.Map{"buckets": outputs}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return backups, nil
}

func (a Args) regionNames() []string {
	var names []string
	for _, region := range a.Regions {
		names = append(names, region.Name)
	}
	return names
}

// bucket registers one bucket with all that makes it a safe one.
type bucket struct {
	ctx   *pulumi.Context
	name  string
	args  Args
	scope cloud.Scope
	opts  []pulumi.ResourceOption
}

func (b bucket) bucketName() string { return BucketName(b.args.Prefix, b.scope.Region) }

// build returns the versioning of the bucket, which replication has to wait for.
func (b bucket) build() (pulumi.Resource, error) {
	made, err := s3.NewBucketV2(b.ctx, b.name, &s3.BucketV2Args{
		Bucket:       pulumi.String(b.bucketName()),
		ForceDestroy: pulumi.Bool(false),
		Tags:         b.scope.Tags(nil),
	}, b.with(pulumi.Protect(b.args.Protect))...)
	if err != nil {
		return nil, fmt.Errorf("register bucket %s: %w", b.name, err)
	}
	versioning, err := s3.NewBucketVersioningV2(b.ctx, b.name, &s3.BucketVersioningV2Args{
		Bucket:                  made.Bucket,
		VersioningConfiguration: &s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	}, b.opts...)
	if err != nil {
		return nil, fmt.Errorf("register versioning of bucket %s: %w", b.name, err)
	}
	if _, err := s3.NewBucketServerSideEncryptionConfigurationV2(b.ctx, b.name, encryptionArgs(made),
		b.opts...); err != nil {
		return nil, fmt.Errorf("register encryption of bucket %s: %w", b.name, err)
	}
	if _, err := s3.NewBucketLifecycleConfigurationV2(b.ctx, b.name, lifecycleArgs(made),
		b.with(pulumi.DependsOn([]pulumi.Resource{versioning}))...); err != nil {
		return nil, fmt.Errorf("register lifecycle of bucket %s: %w", b.name, err)
	}
	return versioning, b.close(made)
}

// close registers what keeps others out.
func (b bucket) close(made *s3.BucketV2) error {
	ownership, err := s3.NewBucketOwnershipControls(b.ctx, b.name, &s3.BucketOwnershipControlsArgs{
		Bucket: made.Bucket,
		Rule:   &s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, b.opts...)
	if err != nil {
		return fmt.Errorf("register ownership of bucket %s: %w", b.name, err)
	}
	block, err := s3.NewBucketPublicAccessBlock(b.ctx, b.name, &s3.BucketPublicAccessBlockArgs{
		Bucket:                made.Bucket,
		BlockPublicAcls:       pulumi.Bool(true),
		BlockPublicPolicy:     pulumi.Bool(true),
		IgnorePublicAcls:      pulumi.Bool(true),
		RestrictPublicBuckets: pulumi.Bool(true),
	}, b.opts...)
	if err != nil {
		return fmt.Errorf("register public access block of bucket %s: %w", b.name, err)
	}
	// S3 refuses changes of a bucket's access at the same time.
	if _, err := s3.NewBucketPolicy(b.ctx, b.name, &s3.BucketPolicyArgs{
		Bucket: made.Bucket,
		Policy: cloud.Policy(encryptedTransport(b.scope, b.bucketName())),
	}, b.with(pulumi.DependsOn([]pulumi.Resource{ownership, block}))...); err != nil {
		return fmt.Errorf("register policy of bucket %s: %w", b.name, err)
	}
	return nil
}

func (b bucket) with(more ...pulumi.ResourceOption) []pulumi.ResourceOption {
	return append(more, b.opts...)
}
