package backups

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/multiregion/internal/cloud"
)

// Folders of a bucket, and who writes them.
const (
	// FolderDatabase has the WAL archives and base backups of the database, by region.
	FolderDatabase = "postgres"
	// FolderLogical has the logical backups.
	FolderLogical = "backups"
	// FolderLogs has the logs.
	FolderLogs = "logs"
)

// replicated are the folders without which a lost region cannot be made again elsewhere.
var replicated = []string{FolderDatabase, FolderLogical}

// replication copies the bucket of one region to those of others.
type replication struct {
	source       string
	destinations []string
}

// replications has the primary region, which comes first, copy to all others, and of two regions the other one back, so
// that after a change of the primary nothing is missing.
func replications(regions []string) []replication {
	switch len(regions) {
	case 1:
		return nil
	case 2:
		return []replication{{regions[0], regions[1:]}, {regions[1], regions[:1]}}
	}
	return []replication{{regions[0], regions[1:]}}
}

func newReplication(ctx *pulumi.Context, name string, args Args, r replication, opts ...pulumi.ResourceOption) error {
	source := r.source
	name += "-" + source
	at := slices.IndexFunc(args.Regions, func(region Region) bool { return region.Name == source })
	opts = append(opts, pulumi.Provider(args.Regions[at].Provider))
	scope := cloud.Scope{Environment: args.Environment, Region: source}
	role, err := iam.NewRole(ctx, name+"-replication", &iam.RoleArgs{
		Description: pulumi.String("S3 replication from " + BucketName(args.Prefix, source)),
		AssumeRolePolicy: cloud.Policy(cloud.Trust("s3.amazonaws.com", cloud.Condition{"StringEquals": {
			"aws:SourceAccount": args.AccountID,
			"aws:SourceArn":     scope.BucketARN(BucketName(args.Prefix, source)),
		}})),
		Tags: scope.Tags(nil),
	}, opts...)
	if err != nil {
		return fmt.Errorf("register role of replication %s: %w", name, err)
	}
	permissions, err := iam.NewRolePolicy(ctx, name+"-replication", &iam.RolePolicyArgs{
		Role:   role.Name,
		Policy: cloud.Policy(replicationPermissions(scope, args.Prefix, r.destinations)...),
	}, opts...)
	if err != nil {
		return fmt.Errorf("register permissions of replication %s: %w", name, err)
	}
	if _, err := s3.NewBucketReplicationConfig(ctx, name, &s3.BucketReplicationConfigArgs{
		Bucket: pulumi.String(BucketName(args.Prefix, source)),
		Role:   role.Arn,
		Rules:  replicationRules(scope, args.Prefix, r.destinations),
	}, append(opts, pulumi.DependsOn([]pulumi.Resource{permissions}))...); err != nil {
		return fmt.Errorf("register replication %s: %w", name, err)
	}
	return nil
}

// replicationPermissions are what S3 needs.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
func replicationPermissions(scope cloud.Scope, prefix string, destinations []string) []cloud.Statement {
	source := BucketName(prefix, scope.Region)
	var copies []string
	for _, destination := range destinations {
		copies = append(copies, scope.BucketARN(BucketName(prefix, destination)+"/*"))
	}
	return []cloud.Statement{
		cloud.Allow([]string{"s3:GetReplicationConfiguration", "s3:ListBucket"}, []string{scope.BucketARN(source)}),
		cloud.Allow([]string{
			"s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging",
		}, []string{scope.BucketARN(source + "/*")}),
		cloud.Allow([]string{"s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"}, copies),
	}
}

// replicationRules has one rule for each folder and destination. Copies follow deletions, as versions that can be
// brought back. What arrived as a copy is not copied further.
func replicationRules(scope cloud.Scope, prefix string, destinations []string) s3.BucketReplicationConfigRuleArray {
	var rules s3.BucketReplicationConfigRuleArray
	for _, destination := range destinations {
		for _, folder := range replicated {
			rules = append(rules, &s3.BucketReplicationConfigRuleArgs{
				Id:       pulumi.String(folder + "-to-" + destination),
				Priority: pulumi.Int(len(rules) + 1),
				Status:   pulumi.String("Enabled"),
				Filter:   &s3.BucketReplicationConfigRuleFilterArgs{Prefix: pulumi.String(folder + "/")},
				Destination: &s3.BucketReplicationConfigRuleDestinationArgs{
					Bucket: pulumi.String(scope.BucketARN(BucketName(prefix, destination))),
				},
				DeleteMarkerReplication: &s3.BucketReplicationConfigRuleDeleteMarkerReplicationArgs{
					Status: pulumi.String("Enabled"),
				},
			})
		}
	}
	return rules
}
