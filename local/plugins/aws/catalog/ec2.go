package catalog

var (
	ruleRequired = []string{"ipProtocol", "securityGroupId"}
	ruleRules    = map[string]Rule{
		"cidrIpv4": routeNetwork, "fromPort": between(-1, 65535), "toPort": between(-1, 65535),
	}
	ruleSource  = exactlyOne("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
	ruleOutputs = map[string]any{"arn": arn("ec2", "security-group-rule/${id}"), "securityGroupRuleId": "${id}"}
)

// ec2 are security groups and what instances are launched from.
var ec2 = table{
	"aws:ec2/securityGroup:SecurityGroup": {
		ID: "sg-${hex:id}", AutoName: "name", Tagged: true,
		Replaces: []string{"name", "namePrefix", "description", "vpcId"},
		Rules: map[string]Rule{
			"description": matches(`[\w .:/()#,@\[\]+=&;{}!$*-]{0,255}`, "at most 255 plain characters"),
			"name":        matches(`[^s].*|s[^g].*|sg[^-].*`, "a name that does not begin with sg-"),
		},
		Outputs: map[string]any{
			"arn": arn("ec2", "security-group/${id}"), "ownerId": "${account}", "description": "Managed by Pulumi",
		},
	},
	"aws:ec2/securityGroupRule:SecurityGroupRule": {
		ID: "sgrule-${number:id}", Required: []string{"fromPort", "protocol", "securityGroupId", "toPort", "type"},
		Replaces: []string{
			"fromPort", "protocol", "securityGroupId", "toPort", "type", "cidrBlocks", "sourceSecurityGroupId",
		},
		Rules:   map[string]Rule{"type": oneOf("ingress", "egress")},
		Outputs: map[string]any{"securityGroupRuleId": "sgr-${hex:rule}"},
	},
	"aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": {
		ID: "sg-${hex:id}", Tagged: true, Replaces: []string{"vpcId"},
		Outputs: map[string]any{
			"arn": arn("ec2", "security-group/${id}"), "ownerId": "${account}", "name": "default",
			"description": "default VPC security group", "namePrefix": "",
		},
	},
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {
		ID: "sgr-${hex:id}", Tagged: true, Required: ruleRequired, Replaces: []string{"securityGroupId"},
		Rules: ruleRules, Whole: ruleSource, Outputs: ruleOutputs,
	},
	"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {
		ID: "sgr-${hex:id}", Tagged: true, Required: ruleRequired, Replaces: []string{"securityGroupId"},
		Rules: ruleRules, Whole: ruleSource, Outputs: ruleOutputs,
	},
	"aws:ec2/launchTemplate:LaunchTemplate": {
		ID: "lt-${hex:id}", AutoName: "name", Tagged: true, Replaces: []string{"name", "namePrefix"},
		Rules: map[string]Rule{
			"imageId":      matches(`ami-[0-9a-f]{8,17}|resolve:ssm:\S+`, "an image such as ami-0123456789abcdef0"),
			"instanceType": instanceType,
			"userData":     matches(`[A-Za-z0-9+/=\s]*`, "text in Base64"),
		},
		Outputs: map[string]any{
			"arn": arn("ec2", "launch-template/${id}"), "latestVersion": 1, "defaultVersion": 1,
		},
		Counted: "latestVersion",
	},
	"aws:ec2/flowLog:FlowLog": {
		ID: "fl-${hex:id}", Tagged: true,
		Replaces: []string{
			"vpcId", "subnetId", "eniId", "trafficType", "logDestination", "logDestinationType", "iamRoleArn",
			"maxAggregationInterval",
		},
		Rules: map[string]Rule{
			"trafficType":        oneOf("ALL", "ACCEPT", "REJECT"),
			"logDestinationType": oneOf("cloud-watch-logs", "s3", "kinesis-data-firehose"),
			"iamRoleArn":         roleARN,
		},
		Whole: exactlyOne("vpcId", "subnetId", "eniId", "transitGatewayId", "transitGatewayAttachmentId"),
		Outputs: map[string]any{
			"arn":       arn("ec2", "vpc-flow-log/${id}"),
			"logFormat": "$${version} $${account-id} $${interface-id} $${srcaddr} $${dstaddr}",
		},
	},
}

var instanceType = matches(`[a-z][a-z0-9-]*\d[a-z0-9-]*\.[a-z0-9-]+`, "an instance type such as m7i.large")
