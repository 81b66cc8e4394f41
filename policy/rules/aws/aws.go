// Package aws judges how the services of AWS are set up that clusters are made of.
package aws

import (
	"strings"

	"agentstack/policy/rule"
)

// Rules of this concern.
var Rules = []rule.Rule{{
	Name: "kms-rotation",
	Description: "AWS rotates keys. " +
		"https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html",
	Level:    rule.Mandatory,
	Resource: of("aws:kms/Key", kmsRotation),
}, {
	Name: "eks-private-endpoint",
	Description: "Nodes reach the API of Kubernetes inside the VPC. " +
		"https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html",
	Level:    rule.Mandatory,
	Resource: of("aws:eks/Cluster", eksPrivateEndpoint),
}, {
	Name: "eks-public-endpoint",
	Description: "The API of Kubernetes is not open to the whole internet. " +
		"https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html",
	Level:    rule.Advisory,
	Resource: of("aws:eks/Cluster", eksPublicEndpoint),
}, {
	Name: "eks-secrets-encryption",
	Description: "Secrets of Kubernetes are encrypted with a key of one's own. " +
		"https://docs.aws.amazon.com/eks/latest/userguide/enable-kms.html",
	Level:    rule.Mandatory,
	Resource: of("aws:eks/Cluster", eksEncryption),
}, {
	Name: "eks-logging",
	Description: "The control plane logs who did what. " +
		"https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html",
	Level:    rule.Mandatory,
	Resource: of("aws:eks/Cluster", eksLogging),
}, {
	Name: "ec2-imdsv2",
	Description: "Machines hand out their credentials only to requests with a session token (IMDSv2), which forged " +
		"requests cannot get. " +
		"https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html",
	Level:    rule.Mandatory,
	Resource: imdsv2,
}, {
	Name: "ecr-scan",
	Description: "Images are scanned for known vulnerabilities when they are pushed. " +
		"https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning.html",
	Level:    rule.Mandatory,
	Resource: of("aws:ecr/Repository", ecrScan),
}, {
	Name: "ebs-encrypted",
	Description: "Disks are encrypted, those that a StorageClass makes too. " +
		"https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption.html",
	Level:    rule.Mandatory,
	Resource: ebsEncrypted,
}, {
	Name: "route53-health-check",
	Description: "In production, records that choose between regions look at their health: otherwise users are sent " +
		"to a region that is down. " +
		"https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover.html",
	Level:    rule.Mandatory,
	Resource: of("aws:route53/Record", healthCheck),
}}

func of(kind string, check func(rule.Resource, rule.Report)) func(rule.Resource, rule.Report) {
	return func(resource rule.Resource, report rule.Report) {
		if resource.IsA(kind) {
			check(resource, report)
		}
	}
}

func kmsRotation(key rule.Resource, report rule.Report) {
	symmetric := key.At("customerMasterKeySpec").Or("SYMMETRIC_DEFAULT").Is("SYMMETRIC_DEFAULT")
	if at := key.At("enableKeyRotation"); symmetric && !at.CanBe(true) {
		report(at, "must be true")
	}
}

func eksPrivateEndpoint(cluster rule.Resource, report rule.Report) {
	if at := cluster.At("vpcConfig.endpointPrivateAccess"); !at.CanBe(true) {
		report(at, "must be true")
	}
}

func eksPublicEndpoint(cluster rule.Resource, report rule.Report) {
	vpc := cluster.At("vpcConfig")
	if vpc.Unknown() || vpc.At("endpointPublicAccess").CanBe(false) {
		return
	}
	at := vpc.At("publicAccessCidrs")
	if at.Empty() {
		report(at, "is missing, which stands for 0.0.0.0/0: list the networks of the people and runners that deploy")
	}
	for _, cidr := range at.Items() {
		if cidr.Is("0.0.0.0/0", "::/0") {
			report(cidr, "is the whole internet: list the networks of the people and runners that deploy")
		}
	}
}

func eksEncryption(cluster rule.Resource, report rule.Report) {
	if at := cluster.At("encryptionConfig.resources"); !at.CanHold("secrets") {
		report(at, "must hold secrets, with a KMS key as provider.keyArn")
	}
}

func eksLogging(cluster rule.Resource, report rule.Report) {
	for _, log := range []any{"api", "audit", "authenticator"} {
		if at := cluster.At("enabledClusterLogTypes"); !at.CanHold(log) {
			report(at, "must hold %s", log)
		}
	}
}

func imdsv2(resource rule.Resource, report rule.Report) {
	switch {
	case resource.IsA("aws:ec2/LaunchTemplate", "aws:ec2/Instance"):
		if at := resource.At("metadataOptions.httpTokens"); !at.CanBe("required") {
			report(at, "must be required")
		}
	case resource.IsA("aws:eks/NodeGroup"):
		if at := resource.At("launchTemplate"); at.Empty() {
			report(at, "is missing, and without one IMDSv2 is optional: name a launch template that requires it")
		}
	}
}

func ecrScan(repository rule.Resource, report rule.Report) {
	if at := repository.At("imageScanningConfiguration.scanOnPush"); !at.CanBe(true) {
		report(at, "must be true")
	}
}

func ebsEncrypted(resource rule.Resource, report rule.Report) {
	switch {
	case resource.IsA("storage.k8s.io/StorageClass") && resource.At("provisioner").Is("ebs.csi.aws.com"):
		if at := resource.At("parameters.encrypted"); !at.CanBe("true") {
			report(at, `must be "true"`)
		}
	case resource.IsA("aws:ebs/Volume"):
		if at := resource.At("encrypted"); !at.CanBe(true) {
			report(at, "must be true")
		}
	case resource.IsA("aws:ec2/LaunchTemplate"):
		for _, device := range resource.At("blockDeviceMappings").Items() {
			if at := device.At("ebs.encrypted"); !device.At("ebs").Empty() && !at.CanBe("true", true) {
				report(at, `must be "true"`)
			}
		}
	}
}

// healthCheck passes over records without a routing policy, and the secondary of a failover, which is the last resort.
func healthCheck(record rule.Resource, report rule.Report) {
	if !record.Environment.Production() || !routed(record) {
		return
	}
	for _, policy := range record.At("failoverRoutingPolicies").Items() {
		if policy.At("type").CanBe("SECONDARY") {
			return
		}
	}
	for _, alias := range record.At("aliases").Items() {
		if alias.At("evaluateTargetHealth").CanBe(true) {
			return
		}
	}
	if at := record.At("healthCheckId"); at.Empty() && !record.At("aliases").Unknown() {
		report(at, "is missing: name a health check of the region, or set aliases[0].evaluateTargetHealth")
	}
}

func routed(record rule.Resource) bool {
	for field, policies := range record.Inputs().Fields() {
		if strings.HasSuffix(field, "RoutingPolicies") && len(policies.Items()) > 0 {
			return true
		}
	}
	return false
}
