// Package tags judges whether the resources of AWS say whose they are.
package tags

import (
	"strings"

	"agentstack/policy/rule"
)

// Rules of this concern.
var Rules = []rule.Rule{{
	Name: "aws-tags",
	Description: "Resources of AWS carry the tags Project, Environment, Region and ManagedBy, by which costs and " +
		"owners are found. https://docs.aws.amazon.com/whitepapers/latest/tagging-best-practices/",
	Level:    rule.Mandatory,
	Resource: tags,
}}

var required = []string{"Project", "Environment", "Region", "ManagedBy"}

// withoutTags are the kinds that cannot have tags. A kind that is not listed must have them.
var withoutTags = map[string]bool{
	"aws:acm/CertificateValidation":                  true,
	"aws:ec2/MainRouteTableAssociation":              true,
	"aws:ec2/Route":                                  true,
	"aws:ec2/RouteTableAssociation":                  true,
	"aws:ec2/SecurityGroupRule":                      true,
	"aws:ec2/VpcEndpointRouteTableAssociation":       true,
	"aws:ecr/LifecyclePolicy":                        true,
	"aws:ecr/RegistryPolicy":                         true,
	"aws:ecr/RegistryScanningConfiguration":          true,
	"aws:ecr/ReplicationConfiguration":               true,
	"aws:ecr/RepositoryPolicy":                       true,
	"aws:eks/AccessPolicyAssociation":                true,
	"aws:iam/RolePoliciesExclusive":                  true,
	"aws:iam/RolePolicy":                             true,
	"aws:iam/RolePolicyAttachment":                   true,
	"aws:iam/RolePolicyAttachmentsExclusive":         true,
	"aws:kms/Alias":                                  true,
	"aws:kms/KeyPolicy":                              true,
	"aws:route53/Record":                             true,
	"aws:s3/BucketAcl":                               true,
	"aws:s3/BucketLifecycleConfiguration":            true,
	"aws:s3/BucketLogging":                           true,
	"aws:s3/BucketNotification":                      true,
	"aws:s3/BucketOwnershipControls":                 true,
	"aws:s3/BucketPolicy":                            true,
	"aws:s3/BucketPublicAccessBlock":                 true,
	"aws:s3/BucketReplicationConfig":                 true,
	"aws:s3/BucketReplicationConfiguration":          true,
	"aws:s3/BucketServerSideEncryptionConfiguration": true,
	"aws:s3/BucketVersioning":                        true,
}

func tags(resource rule.Resource, report rule.Report) {
	if !strings.HasPrefix(resource.Type, "aws:") || withoutTags[resource.Kind()] {
		return
	}
	// Provider settings that are objects travel as JSON.
	own, byDefault := resource.At("tags"), resource.Settings.At("defaultTags").JSON().At("tags")
	for _, name := range required {
		if at := own.Key(name); at.Empty() && byDefault.Key(name).Empty() {
			report(at, "is missing, here and in defaultTags of the provider: set it")
		}
	}
}
