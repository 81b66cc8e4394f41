package catalog

// s3 are buckets and their settings; a setting has the ID of its bucket.
var s3 = table{
	"aws:s3/bucketV2:BucketV2": {
		ID: "${bucket}", AutoName: "bucket", Tagged: true,
		Replaces: []string{"bucket", "bucketPrefix", "objectLockEnabled"},
		Rules:    map[string]Rule{"bucket": bucketName},
		Outputs: map[string]any{
			"arn": "arn:${partition}:s3:::${bucket}", "bucketDomainName": "${bucket}.s3.amazonaws.com",
			"bucketRegionalDomainName": "${bucket}.s3.${region}.amazonaws.com", "region": "${region}",
			"hostedZoneId": regionalZone("s3"), "websiteDomain": "", "websiteEndpoint": "",
			"objectLockEnabled": false, "requestPayer": "BucketOwner",
		},
	},
	"aws:s3/bucketVersioningV2:BucketVersioningV2": setting(
		[]string{"versioningConfiguration"}, map[string]Rule{
			"versioningConfiguration": field("status", oneOf("Enabled", "Suspended", "Disabled")),
		}),
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": setting(
		[]string{"rules"}, map[string]Rule{"rules": each(field("applyServerSideEncryptionByDefault",
			field("sseAlgorithm", oneOf("AES256", "aws:kms", "aws:kms:dsse"))))}),
	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": setting(nil, nil),
	"aws:s3/bucketOwnershipControls:BucketOwnershipControls": setting(
		[]string{"rule"}, map[string]Rule{
			"rule": field("objectOwnership", oneOf("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")),
		}),
	"aws:s3/bucketPolicy:BucketPolicy": setting([]string{"policy"}, map[string]Rule{"policy": resourcePolicy}),
	"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2": {
		ID: "${bucket}", Required: []string{"bucket"}, Replaces: []string{"bucket"},
		Rules: map[string]Rule{
			"bucket": bucketName, "rules": each(field("status", oneOf("Enabled", "Disabled"))),
		},
		Outputs: map[string]any{"transitionDefaultMinimumObjectSize": "all_storage_classes_128K"},
	},
	"aws:s3/bucketReplicationConfig:BucketReplicationConfig": setting(
		[]string{"role", "rules"}, map[string]Rule{
			"role": roleARN,
			"rules": all(atLeast(1, "at least one rule"), each(field("status", oneOf("Enabled", "Disabled"))),
				each(field("destination", field("bucket", bucketARN)))),
		}),
}

var bucketARN = matches(`arn:aws[\w-]*:s3:::[a-z0-9.-]+`, "a bucket's ARN such as arn:aws:s3:::name")

func setting(required []string, rules map[string]Rule) Type {
	all := map[string]Rule{"bucket": bucketName}
	for name, rule := range rules {
		all[name] = rule
	}
	return Type{
		ID: "${bucket}", Required: append([]string{"bucket"}, required...), Replaces: []string{"bucket"}, Rules: all,
	}
}
