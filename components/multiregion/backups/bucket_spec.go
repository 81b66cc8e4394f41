package backups

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/multiregion/internal/cloud"
)

const (
	// oldVersionDays is how long what was deleted or overwritten can be brought back.
	oldVersionDays = 30
	// unfinishedUploadDays is how long the parts of an upload stay that was never completed.
	unfinishedUploadDays = 1
)

// encryptionArgs has S3 encrypt with keys of its own. A key of the customer's would protect against nobody who is kept
// out of the bucket, would have to be shared by all regions for replication, and with its loss all backups are lost.
func encryptionArgs(bucket *s3.BucketV2) *s3.BucketServerSideEncryptionConfigurationV2Args {
	byDefault := &s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
		SseAlgorithm: pulumi.String("AES256"),
	}
	return &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: bucket.Bucket,
		Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{
			&s3.BucketServerSideEncryptionConfigurationV2RuleArgs{ApplyServerSideEncryptionByDefault: byDefault},
		},
	}
}

// lifecycleArgs ends what nothing refers to. What is current is deleted by those who wrote it, by their own retention.
func lifecycleArgs(bucket *s3.BucketV2) *s3.BucketLifecycleConfigurationV2Args {
	return &s3.BucketLifecycleConfigurationV2Args{
		Bucket: bucket.Bucket,
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{&s3.BucketLifecycleConfigurationV2RuleArgs{
			Id:     pulumi.String("leftovers"),
			Status: pulumi.String("Enabled"),
			Filter: &s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")},
			NoncurrentVersionExpiration: &s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{
				NoncurrentDays: pulumi.Int(oldVersionDays),
			},
			Expiration: &s3.BucketLifecycleConfigurationV2RuleExpirationArgs{
				ExpiredObjectDeleteMarker: pulumi.Bool(true),
			},
			AbortIncompleteMultipartUpload: &s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{
				DaysAfterInitiation: pulumi.Int(unfinishedUploadDays),
			},
		}},
	}
}

// encryptedTransport refuses requests without TLS.
func encryptedTransport(scope cloud.Scope, bucket string) cloud.Statement {
	return cloud.Statement{
		Effect:    "Deny",
		Principal: map[string]string{"AWS": "*"},
		Action:    []string{"s3:*"},
		Resource:  []string{scope.BucketARN(bucket), scope.BucketARN(bucket + "/*")},
		Condition: cloud.Condition{"Bool": {"aws:SecureTransport": "false"}},
	}
}

// Write allows to read, write and delete the objects of a folder.
func Write(scope cloud.Scope, bucket, folder string) []cloud.Statement {
	return []cloud.Statement{
		list(scope, bucket),
		cloud.Allow([]string{
			"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
		}, []string{scope.BucketARN(bucket + "/" + folder + "/*")}),
	}
}

// Read allows to read the objects of a folder.
func Read(scope cloud.Scope, bucket, folder string) []cloud.Statement {
	return []cloud.Statement{
		list(scope, bucket),
		cloud.Allow([]string{"s3:GetObject"}, []string{scope.BucketARN(bucket + "/" + folder + "/*")}),
	}
}

// list covers the question whether a bucket exists, which names no folder: the names of objects are no secret among the
// users of a bucket, their content is.
func list(scope cloud.Scope, bucket string) cloud.Statement {
	return cloud.Allow([]string{"s3:ListBucket", "s3:GetBucketLocation"}, []string{scope.BucketARN(bucket)})
}
