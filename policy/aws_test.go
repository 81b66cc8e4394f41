package main

import "github.com/pulumi/pulumi/sdk/v3/go/common/resource"

var (
	bucket = cloud("s3/bucketV2:BucketV2", "backups", `
bucket: agentstack-backups
tags: {Project: agentstack, Environment: staging, Region: eu-west-1, ManagedBy: pulumi}
`)
	encrypted = cloud("s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2", "key", `
bucket: agentstack-backups
rules: [{applyServerSideEncryptionByDefault: {sseAlgorithm: "aws:kms"}}]
`)
	accessBlock = cloud("s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "backups", `
{bucket: agentstack-backups, blockPublicAcls: true, blockPublicPolicy: true, ignorePublicAcls: true,
 restrictPublicBuckets: true}
`)
	versioning = cloud("s3/bucketVersioningV2:BucketVersioningV2", "backups", `
{bucket: agentstack-backups, versioningConfiguration: {status: Enabled}}
`)
	bucketPolicy = cloud("s3/bucketPolicy:BucketPolicy", "backups", `
bucket: agentstack-backups
policy: |
  {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::agentstack-backups"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}
`)
	otherBucket = bucket.with("bucket", "logs")
)

// unnamed is a bucket whose name AWS makes, as all parts see it in a preview.
var unnamed = bucket.with("bucket", remove)

var s3Examples = []example{
	{rule: "s3-encryption", name: "by name", objects: []object{bucket, encrypted}},
	{rule: "s3-encryption", name: "by dependency",
		objects: []object{unnamed, encrypted.computedFrom("bucket", unnamed)}},
	{rule: "s3-encryption", name: "none", objects: []object{bucket}, wants: []string{"bucket: no s3/BucketServerSide"}},
	{rule: "s3-encryption", name: "of another bucket", objects: []object{otherBucket, encrypted},
		wants: []string{"no s3/BucketServerSide"}},
	{rule: "s3-encryption", name: "no algorithm", objects: []object{bucket, encrypted.with(
		"rules[0].applyServerSideEncryptionByDefault", remove)}, wants: []string{"rules: must hold"}},
	{rule: "s3-public-access-block", name: "all four", objects: []object{bucket, accessBlock}},
	{rule: "s3-public-access-block", name: "three",
		objects: []object{bucket, accessBlock.with("blockPublicPolicy", remove)},
		wants:   []string{"blockPublicPolicy: must be true"}},
	{rule: "s3-versioning", name: "on", objects: []object{bucket, versioning}},
	{rule: "s3-versioning", name: "suspended", objects: []object{bucket, versioning.with(
		"versioningConfiguration.status", "Suspended")}, wants: []string{"versioningConfiguration.status"}},
	{rule: "s3-tls-only", name: "denied", objects: []object{bucket, bucketPolicy}},
	{rule: "s3-tls-only", name: "by dependency",
		objects: []object{unnamed, bucketPolicy.computedFrom("bucket", unnamed)}},
	{rule: "s3-tls-only", name: "allowed", objects: []object{bucket, bucketPolicy.with("policy", `{"Statement": []}`)},
		wants: []string{"aws:SecureTransport"}},
	{rule: "s3-no-public-acl", name: "none", objects: []object{bucket}},
	{rule: "s3-no-public-acl", name: "public", objects: []object{cloud("s3/bucketAclV2:BucketAclV2", "acl",
		`{acl: public-read}`)}, wants: []string{"acl: must be private"}},
}

var (
	role = cloud("iam/role:Role", "node", `
assumeRolePolicy: '{"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"},
  "Action": "sts:AssumeRole"}}'
`)
	rolePolicy = cloud("iam/rolePolicy:RolePolicy", "backup", `
policy: '{"Statement": [{"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": "arn:aws:s3:::b/*"},
  {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", "ec2:DescribeVpcs"], "Resource": "*"},
  {"Effect": "Deny", "Action": "*", "Resource": "*"}]}'
`)
)

// allowing is a policy with one statement that allows.
func allowing(statement string) object {
	return rolePolicy.with("policy", `{"Statement": {"Effect": "Allow", `+statement+`}}`)
}

var iamExamples = []example{
	{rule: "iam-no-wildcard-actions", name: "listed", objects: []object{rolePolicy}},
	{rule: "iam-no-wildcard-actions", name: "service",
		objects: []object{allowing(`"Action": ["s3:*"], "Resource": "a"`)},
		wants:   []string{`policy.Statement.Action[0]: allows "s3:*"`}},
	{rule: "iam-no-wildcard-actions", name: "all but one", objects: []object{allowing(`"NotAction": "iam:*"`)},
		wants: []string{"NotAction"}},
	{rule: "iam-no-wildcard-actions", name: "inline in a role", objects: []object{role.with("inlinePolicies", []any{
		map[string]any{"policy": `{"Statement": {"Effect": "Allow", "Action": "*"}}`}})},
		wants: []string{"inlinePolicies[0].policy.Statement.Action"}},
	{rule: "iam-no-wildcard-resources", name: "reading and what has no resource", objects: []object{rolePolicy}},
	{rule: "iam-no-wildcard-resources", name: "condition", objects: []object{allowing(
		`"Action": "ec2:CreateTags", "Resource": "*", "Condition": {"StringEquals": {"a": "b"}}`)}},
	{rule: "iam-no-wildcard-resources", name: "writing", objects: []object{allowing(
		`"Action": ["ec2:TerminateInstances"], "Resource": ["*"]`)},
		wants: []string{"policy.Statement.Resource[0]: allows ec2:TerminateInstances on everything"}},
	{rule: "iam-no-public-principal", name: "service", objects: []object{role, bucketPolicy}},
	{rule: "iam-no-public-principal", name: "everyone", objects: []object{role.with("assumeRolePolicy",
		`{"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}}}`)},
		wants: []string{"Principal.AWS: is everyone"}},
	{rule: "iam-no-users", name: "role", objects: []object{role}},
	{rule: "iam-no-users", name: "user and key", objects: []object{cloud("iam/user:User", "deploy", `{name: deploy}`),
		cloud("iam/accessKey:AccessKey", "key", `{user: deploy}`)},
		wants: []string{"User deploy", "AccessKey key"}},
}

var (
	key     = cloud("kms/key:Key", "eks", `{enableKeyRotation: true}`)
	cluster = cloud("eks/cluster:Cluster", "eks", `
vpcConfig: {endpointPrivateAccess: true, endpointPublicAccess: true, publicAccessCidrs: [192.0.2.0/24]}
encryptionConfig: {resources: [secrets], provider: {keyArn: "arn:aws:kms:eu-west-1:1:key/1"}}
enabledClusterLogTypes: [api, audit, authenticator]
`)
	template = cloud("ec2/launchTemplate:LaunchTemplate", "node", `
metadataOptions: {httpTokens: required}
blockDeviceMappings: [{deviceName: /dev/xvda, ebs: {encrypted: "true"}}]
`)
	nodeGroup    = cloud("eks/nodeGroup:NodeGroup", "node", `{launchTemplate: {id: lt-1}}`)
	repository   = cloud("ecr/repository:Repository", "api", `{imageScanningConfiguration: {scanOnPush: true}}`)
	storageClass = kube(`
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: gp3}
provisioner: ebs.csi.aws.com
parameters: {type: gp3, encrypted: "true"}
`)
	record = cloud("route53/record:Record", "api", `
{name: api.example.com, healthCheckId: h, failoverRoutingPolicies: [{type: PRIMARY}]}
`)
)

var awsExamples = []example{
	{rule: "kms-rotation", name: "on", objects: []object{key}},
	{rule: "kms-rotation", name: "off", objects: []object{key.with("enableKeyRotation", false)},
		wants: []string{"enableKeyRotation"}},
	{rule: "eks-private-endpoint", name: "on", objects: []object{cluster}},
	{rule: "eks-private-endpoint", name: "off",
		objects: []object{cluster.with("vpcConfig.endpointPrivateAccess", remove)},
		wants:   []string{"vpcConfig.endpointPrivateAccess"}},
	{rule: "eks-public-endpoint", name: "one network", objects: []object{cluster}},
	{rule: "eks-public-endpoint", name: "closed",
		objects: []object{cluster.with("vpcConfig.endpointPublicAccess", false,
			"vpcConfig.publicAccessCidrs", remove)}},
	{rule: "eks-public-endpoint", name: "by default",
		objects: []object{cluster.with("vpcConfig.publicAccessCidrs", remove)},
		wants:   []string{"stands for 0.0.0.0/0"}},
	{rule: "eks-public-endpoint", name: "open",
		objects: []object{cluster.with("vpcConfig.publicAccessCidrs[0]", "0.0.0.0/0")},
		wants:   []string{"is the whole internet"}},
	{rule: "eks-secrets-encryption", name: "on", objects: []object{cluster}},
	{rule: "eks-secrets-encryption", name: "off", objects: []object{cluster.with("encryptionConfig", remove)},
		wants: []string{"encryptionConfig.resources"}},
	{rule: "eks-logging", name: "three logs", objects: []object{cluster}},
	{rule: "eks-logging", name: "one", objects: []object{cluster.with("enabledClusterLogTypes", []any{"api"})},
		wants: []string{"must hold audit", "must hold authenticator"}},
	{rule: "ec2-imdsv2", name: "required", objects: []object{template, nodeGroup}},
	{rule: "ec2-imdsv2", name: "optional", objects: []object{template.with("metadataOptions", remove)},
		wants: []string{"metadataOptions.httpTokens"}},
	{rule: "ec2-imdsv2", name: "no template", objects: []object{nodeGroup.with("launchTemplate", remove)},
		wants: []string{"launchTemplate: is missing"}},
	{rule: "ecr-scan", name: "on push", objects: []object{repository}},
	{rule: "ecr-scan", name: "never", objects: []object{repository.with("imageScanningConfiguration", remove)},
		wants: []string{"imageScanningConfiguration.scanOnPush"}},
	{rule: "ebs-encrypted", name: "all", objects: []object{storageClass, template,
		cloud("ebs/volume:Volume", "data", `{encrypted: true}`)}},
	{rule: "ebs-encrypted", name: "none", objects: []object{storageClass.with("parameters.encrypted", remove),
		template.with("blockDeviceMappings[0].ebs.encrypted", "false"),
		cloud("ebs/volume:Volume", "data", `{size: 1}`)},
		wants: []string{"parameters.encrypted", "blockDeviceMappings[0].ebs.encrypted", "Volume data: encrypted"}},
	{rule: "route53-health-check", name: "checked", environment: "production", objects: []object{record}},
	{rule: "route53-health-check", name: "alias that follows its target", environment: "production",
		objects: []object{record.with("healthCheckId", remove,
			"aliases", []any{map[string]any{"evaluateTargetHealth": true}})}},
	{rule: "route53-health-check", name: "last resort", environment: "production",
		objects: []object{record.with("healthCheckId", remove, "failoverRoutingPolicies[0].type", "SECONDARY")}},
	{rule: "route53-health-check", name: "simple record", environment: "production",
		objects: []object{cloud("route53/record:Record", "validation", `{name: _x.example.com}`)}},
	{rule: "route53-health-check", name: "staging", objects: []object{record.with("healthCheckId", remove)}},
	{rule: "route53-health-check", name: "none", environment: "production",
		objects: []object{record.with("healthCheckId", remove)}, wants: []string{"healthCheckId: is missing"}},

	{rule: "aws-tags", name: "own", objects: []object{bucket}},
	{rule: "aws-tags", name: "of the provider", objects: []object{providerTags(bucket.with("tags", remove))}},
	{rule: "aws-tags", name: "kind without tags", objects: []object{versioning}},
	{rule: "aws-tags", name: "some", objects: []object{bucket.with("tags", map[string]any{"Project": "agentstack"})},
		wants: []string{"tags.Environment", "tags.Region", "tags.ManagedBy"}},
}

// providerTags gives the object's provider default tags, as the SDK passes them: objects as JSON.
func providerTags(o object) object {
	o.settings = resource.PropertyMap{"defaultTags": resource.NewStringProperty(
		`{"tags": {"Project": "agentstack", "Environment": "staging", "Region": "eu-west-1", "ManagedBy": "pulumi"}}`)}
	return o
}
