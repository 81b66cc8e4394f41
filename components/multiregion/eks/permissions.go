package eks

import (
	"slices"

	"agentstack/components/multiregion/internal/cloud"
)

// The operators' own documents allow more than they need here: application load balancers, firewalls, snapshots,
// volumes made by older drivers. What is left are single actions, on resources of the cluster where AWS can tell them.

// volumePermissions let the EBS CSI driver make, attach, grow and delete the volumes that carry its tag.
// https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/example-iam-policy.json
func volumePermissions(scope cloud.Scope) []cloud.Statement {
	volumes := scope.ARN("ec2", scope.Region, "*", "volume/*")
	instances := scope.ARN("ec2", scope.Region, "*", "instance/*")
	const tag = "ebs.csi.aws.com/cluster"
	return []cloud.Statement{
		// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html: no resource types.
		cloud.Allow([]string{
			"ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeTags",
			"ec2:DescribeVolumes", "ec2:DescribeVolumesModifications", "ec2:DescribeVolumeStatus",
		}, []string{cloud.AnyResource}),
		cloud.Allow([]string{"ec2:CreateVolume"}, []string{volumes}).
			When(cloud.Condition{"StringEquals": {"aws:RequestTag/" + tag: "true"}}),
		cloud.Allow([]string{"ec2:CreateTags"}, []string{volumes}).
			When(cloud.Condition{"StringEquals": {"ec2:CreateAction": "CreateVolume"}}),
		cloud.Allow([]string{"ec2:AttachVolume", "ec2:DetachVolume", "ec2:ModifyVolume", "ec2:DeleteVolume"},
			[]string{volumes}).
			When(cloud.Condition{"StringEquals": {"aws:ResourceTag/" + tag: "true"}}),
		cloud.Allow([]string{"ec2:AttachVolume", "ec2:DetachVolume"}, []string{instances}).
			When(cloud.Condition{"StringEquals": {"aws:ResourceTag/eks:cluster-name": Name(scope)}}),
	}
}

// loadBalancerPermissions let the AWS Load Balancer Controller keep network load balancers in front of pods.
// https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/v2.14.0/docs/install/iam_policy.json
func loadBalancerPermissions(scope cloud.Scope) []cloud.Statement {
	return slices.Concat(loadBalancerReads(scope), securityGroupPermissions(scope), balancingPermissions(scope))
}

func loadBalancerReads(scope cloud.Scope) []cloud.Statement {
	const service = "elasticloadbalancing.amazonaws.com"
	linkedRole := "role/aws-service-role/" + service + "/AWSServiceRoleForElasticLoadBalancing"
	return []cloud.Statement{
		cloud.Allow([]string{"iam:CreateServiceLinkedRole"}, []string{scope.ARN("iam", "", "*", linkedRole)}).
			When(cloud.Condition{"StringEquals": {"iam:AWSServiceName": service}}),
		// These have no resource types.
		// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
		// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
		// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscertificatemanager.html
		cloud.Allow([]string{
			"ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeAvailabilityZones",
			"ec2:DescribeInstances", "ec2:DescribeInternetGateways", "ec2:DescribeNetworkInterfaces",
			"ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags",
			"ec2:DescribeVpcPeeringConnections", "ec2:DescribeVpcs", "ec2:GetSecurityGroupsForVpc",
			"elasticloadbalancing:DescribeCapacityReservation",
			"elasticloadbalancing:DescribeListenerAttributes",
			"elasticloadbalancing:DescribeListenerCertificates",
			"elasticloadbalancing:DescribeListeners",
			"elasticloadbalancing:DescribeLoadBalancerAttributes",
			"elasticloadbalancing:DescribeLoadBalancers",
			"elasticloadbalancing:DescribeSSLPolicies",
			"elasticloadbalancing:DescribeTags",
			"elasticloadbalancing:DescribeTargetGroupAttributes",
			"elasticloadbalancing:DescribeTargetGroups",
			"elasticloadbalancing:DescribeTargetHealth",
			"acm:ListCertificates",
		}, []string{cloud.AnyResource}),
		cloud.Allow([]string{"acm:DescribeCertificate"},
			[]string{scope.ARN("acm", scope.Region, "*", "certificate/*")}),
	}
}

// controllerTag marks what the load balancer controller made, with the name of its cluster.
const controllerTag = "elbv2.k8s.aws/cluster"

func requested(scope cloud.Scope) map[string]string {
	return map[string]string{"aws:RequestTag/" + controllerTag: Name(scope)}
}

func owned(scope cloud.Scope) cloud.Condition {
	return cloud.Condition{"StringEquals": {"aws:ResourceTag/" + controllerTag: Name(scope)}}
}

// securityGroupPermissions are for the groups of load balancers, and for letting those into the nodes' group, which EKS
// tags with the name of the cluster.
func securityGroupPermissions(scope cloud.Scope) []cloud.Statement {
	groups := scope.ARN("ec2", scope.Region, "*", "security-group/*")
	networks := scope.ARN("ec2", scope.Region, "*", "vpc/*")
	created := requested(scope)
	created["ec2:CreateAction"] = "CreateSecurityGroup"
	return []cloud.Statement{
		cloud.Allow([]string{"ec2:CreateSecurityGroup"}, []string{networks}),
		cloud.Allow([]string{"ec2:CreateSecurityGroup"}, []string{groups}).
			When(cloud.Condition{"StringEquals": requested(scope)}),
		cloud.Allow([]string{"ec2:CreateTags"}, []string{groups}).When(cloud.Condition{"StringEquals": created}),
		cloud.Allow([]string{
			"ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress", "ec2:DeleteSecurityGroup",
			"ec2:CreateTags", "ec2:DeleteTags",
		}, []string{groups}).When(owned(scope)),
		cloud.Allow([]string{"ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"}, []string{groups}).
			When(cloud.Condition{"StringEquals": {
				"aws:ResourceTag/kubernetes.io/cluster/" + Name(scope): "owned",
			}}),
	}
}

func balancingPermissions(scope cloud.Scope) []cloud.Statement {
	arn := func(resource string) string { return scope.ARN("elasticloadbalancing", scope.Region, "*", resource) }
	balancers := []string{arn("loadbalancer/net/*/*")}
	targets := []string{arn("targetgroup/*/*")}
	listeners := []string{arn("listener/net/*/*/*")}
	made := slices.Concat(balancers, targets, listeners)
	return []cloud.Statement{
		cloud.Allow([]string{"elasticloadbalancing:CreateLoadBalancer"}, balancers).
			When(cloud.Condition{"StringEquals": requested(scope)}),
		cloud.Allow([]string{"elasticloadbalancing:CreateTargetGroup"}, targets).
			When(cloud.Condition{"StringEquals": requested(scope)}),
		cloud.Allow([]string{"elasticloadbalancing:CreateListener"}, balancers).When(owned(scope)),
		cloud.Allow([]string{"elasticloadbalancing:AddTags"}, made).
			When(cloud.Condition{"StringEquals": requested(scope)}),
		cloud.Allow([]string{
			"elasticloadbalancing:AddListenerCertificates",
			"elasticloadbalancing:AddTags",
			"elasticloadbalancing:DeleteListener",
			"elasticloadbalancing:DeleteLoadBalancer",
			"elasticloadbalancing:DeleteTargetGroup",
			"elasticloadbalancing:DeregisterTargets",
			"elasticloadbalancing:ModifyListener",
			"elasticloadbalancing:ModifyListenerAttributes",
			"elasticloadbalancing:ModifyLoadBalancerAttributes",
			"elasticloadbalancing:ModifyTargetGroup",
			"elasticloadbalancing:ModifyTargetGroupAttributes",
			"elasticloadbalancing:RegisterTargets",
			"elasticloadbalancing:RemoveListenerCertificates",
			"elasticloadbalancing:RemoveTags",
			"elasticloadbalancing:SetIpAddressType",
			"elasticloadbalancing:SetSecurityGroups",
			"elasticloadbalancing:SetSubnets",
		}, made).When(owned(scope)),
	}
}

// autoscalerPermissions let the Cluster Autoscaler resize the groups of the cluster's nodes, which EKS tags for it.
// https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/cloudprovider/aws/README.md
func autoscalerPermissions(scope cloud.Scope) []cloud.Statement {
	groups := scope.ARN("autoscaling", scope.Region, "*", "autoScalingGroup:*:autoScalingGroupName/*")
	nodes := scope.ARN("eks", scope.Region, "*", "nodegroup/"+Name(scope)+"/*/*")
	return []cloud.Statement{
		// These have no resource types.
		// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2autoscaling.html
		cloud.Allow([]string{
			"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances",
			"autoscaling:DescribeLaunchConfigurations", "autoscaling:DescribeScalingActivities",
			"autoscaling:DescribeTags", "ec2:DescribeImages", "ec2:DescribeInstanceTypes",
			"ec2:DescribeLaunchTemplateVersions", "ec2:GetInstanceTypesFromInstanceRequirements",
		}, []string{cloud.AnyResource}),
		cloud.Allow([]string{"eks:DescribeNodegroup"}, []string{nodes}),
		cloud.Allow([]string{"autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"},
			[]string{groups}).
			When(cloud.Condition{"StringEquals": {
				"aws:ResourceTag/k8s.io/cluster-autoscaler/" + Name(scope): "owned",
			}}),
	}
}
