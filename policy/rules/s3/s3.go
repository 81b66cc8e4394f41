// Package s3 judges buckets together with the resources that configure them.
package s3

import "agentstack/policy/rule"

// Rules of this concern.
var Rules = []rule.Rule{{
	Name: "s3-encryption",
	Description: "Each bucket says how it is encrypted. " +
		"https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html",
	Level: rule.Mandatory,
	Stack: demand("s3/BucketServerSideEncryptionConfiguration", encryption),
}, {
	Name: "s3-public-access-block",
	Description: "Each bucket blocks public access in all four ways. " +
		"https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html",
	Level: rule.Mandatory,
	Stack: demand("s3/BucketPublicAccessBlock", publicAccessBlock),
}, {
	Name: "s3-versioning",
	Description: "Each bucket keeps versions: what is overwritten or deleted by mistake can be got back. " +
		"https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html",
	Level: rule.Mandatory,
	Stack: demand("s3/BucketVersioning", versioning),
}, {
	Name: "s3-tls-only",
	Description: "The policy of each bucket refuses requests without TLS. " +
		"https://docs.aws.amazon.com/config/latest/developerguide/s3-bucket-ssl-requests-only.html",
	Level: rule.Mandatory,
	Stack: demand("s3/BucketPolicy", tlsOnly),
}, {
	Name: "s3-no-public-acl",
	Description: "No bucket is opened by an access control list. " +
		"https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html",
	Level:    rule.Mandatory,
	Resource: noPublicACL,
}}

// demand makes a rule that each bucket has a resource of that kind which passes the check. In a preview the name of
// the bucket may be unknown; what was computed from what is known then too.
func demand(kind string, check func(rule.Resource, rule.Report)) func(rule.Stack, rule.Report) {
	return func(stack rule.Stack, report rule.Report) {
		for _, bucket := range stack.Of("aws:s3/Bucket") {
			found := false
			for _, part := range stack.Of("aws:" + kind) {
				if part.RefersTo("bucket", bucket, "bucket") {
					found = true
					check(part, report)
				}
			}
			if !found {
				report(bucket.At("bucket"), "no %s refers to this bucket: add one", kind)
			}
		}
	}
}

func encryption(part rule.Resource, report rule.Report) {
	rules := part.At("rules")
	if rules.Unknown() {
		return
	}
	for _, one := range rules.Items() {
		algorithm := one.At("applyServerSideEncryptionByDefault.sseAlgorithm")
		if algorithm.CanBe("aws:kms", "aws:kms:dsse", "AES256") {
			return
		}
	}
	report(rules, "must hold applyServerSideEncryptionByDefault with sseAlgorithm aws:kms or AES256")
}

func publicAccessBlock(part rule.Resource, report rule.Report) {
	fields := []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"}
	for _, field := range fields {
		if at := part.At(field); !at.CanBe(true) {
			report(at, "must be true")
		}
	}
}

func versioning(part rule.Resource, report rule.Report) {
	if at := part.At("versioningConfiguration.status"); !at.CanBe("Enabled") {
		report(at, "must be Enabled")
	}
}

func tlsOnly(part rule.Resource, report rule.Report) {
	policy := part.At("policy").JSON()
	if policy.Unknown() {
		return
	}
	statements := policy.At("Statement")
	for _, statement := range statements.Items() {
		secure := statement.At("Condition.Bool").Key("aws:SecureTransport")
		if statement.At("Effect").CanBe("Deny") && secure.CanHold("false", false) &&
			everyone(statement.At("Principal")) && statement.At("Action").CanHold("s3:*", "*") {
			return
		}
	}
	if !statements.Unknown() {
		report(statements, `must deny s3:* to everyone where aws:SecureTransport is "false"`)
	}
}

func everyone(principal rule.Value) bool {
	return principal.CanBe("*") || principal.At("AWS").CanHold("*")
}

func noPublicACL(resource rule.Resource, report rule.Report) {
	if !resource.IsA("aws:s3/Bucket", "aws:s3/BucketAcl") {
		return
	}
	if at := resource.At("acl"); at.Is("public-read", "public-read-write", "authenticated-read") {
		report(at, "must be private: give rights by a bucket policy")
	}
	for _, grant := range resource.At("accessControlPolicy.grants").Items() {
		at := grant.At("grantee.uri")
		if at.Is("http://acs.amazonaws.com/groups/global/AllUsers",
			"http://acs.amazonaws.com/groups/global/AuthenticatedUsers") {
			report(at, "must not be granted anything: give rights by a bucket policy")
		}
	}
}
