package eks

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	awseks "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/multiregion/internal/cloud"
)

const (
	// nodeVolumeSize of a node, for images, container logs and what containers write, in GiB.
	nodeVolumeSize = 50
	// nodeTypeKey is the key of the label and the taint that keep a kind of node for a kind of pod.
	nodeTypeKey = "node-type"
)

// nodePolicies are what a node itself needs. Pods have identities of their own.
// https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html
var nodePolicies = map[string]string{
	"nodes":       "AmazonEKSWorkerNodePolicy",
	"nodes-image": "AmazonEC2ContainerRegistryPullOnly",
}

// newNodeGroups registers the general nodes and those for the API.
func (b *builder) newNodeGroups(after []pulumi.Resource) ([]pulumi.Resource, error) {
	role, err := b.newRole("nodes", "nodes", cloud.Trust("ec2.amazonaws.com", nil))
	if err != nil {
		return nil, err
	}
	for name, policy := range nodePolicies {
		attachment, err := b.attach(name, role, policy)
		if err != nil {
			return nil, err
		}
		after = append(after, attachment)
	}
	template, err := ec2.NewLaunchTemplate(b.ctx, b.name, b.launchTemplateArgs(), b.parent)
	if err != nil {
		return nil, fmt.Errorf("register launch template of %s: %w", b.name, err)
	}
	var made []pulumi.Resource
	for _, group := range []struct {
		name, nodeType string
		NodeGroup
	}{
		{"general", "general", b.args.NodeGroup},
		{"api", APINodeType, b.args.APINodeGroup},
	} {
		args := b.nodeGroupArgs(role, template, group.nodeType, group.NodeGroup)
		// Between the bounds, the autoscaler decides.
		nodes, err := awseks.NewNodeGroup(b.ctx, b.name+"-"+group.name, args, b.parent, pulumi.DependsOn(after),
			pulumi.IgnoreChanges([]string{"scalingConfig.desiredSize"}))
		if err != nil {
			return nil, fmt.Errorf("register nodes %s of %s: %w", group.name, b.name, err)
		}
		made = append(made, nodes)
	}
	return made, nil
}

// launchTemplateArgs describes instances with an encrypted disk whose credentials no pod reaches: the answer to a
// token request ends at the first hop, which for a pod is its node.
// https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html
func (b *builder) launchTemplateArgs() *ec2.LaunchTemplateArgs {
	var tagged ec2.LaunchTemplateTagSpecificationArray
	for _, kind := range []string{"instance", "volume", "network-interface"} {
		tagged = append(tagged, &ec2.LaunchTemplateTagSpecificationArgs{
			ResourceType: pulumi.String(kind),
			Tags:         b.args.Named(Name(b.args.Scope)),
		})
	}
	return &ec2.LaunchTemplateArgs{
		BlockDeviceMappings: ec2.LaunchTemplateBlockDeviceMappingArray{&ec2.LaunchTemplateBlockDeviceMappingArgs{
			DeviceName: pulumi.String("/dev/xvda"), // The root of Amazon Linux 2023.
			Ebs: &ec2.LaunchTemplateBlockDeviceMappingEbsArgs{
				VolumeType:          pulumi.String("gp3"),
				VolumeSize:          pulumi.Int(nodeVolumeSize),
				Encrypted:           pulumi.String("true"),
				DeleteOnTermination: pulumi.String("true"),
			},
		}},
		MetadataOptions: &ec2.LaunchTemplateMetadataOptionsArgs{
			HttpEndpoint:            pulumi.String("enabled"),
			HttpTokens:              pulumi.String("required"),
			HttpPutResponseHopLimit: pulumi.Int(1),
		},
		TagSpecifications: tagged,
		Tags:              b.args.Tags(nil),
	}
}

func (b *builder) nodeGroupArgs(role *iam.Role, template *ec2.LaunchTemplate, nodeType string, nodes NodeGroup,
) *awseks.NodeGroupArgs {
	args := &awseks.NodeGroupArgs{
		ClusterName:   b.cluster.Name,
		NodeRoleArn:   role.Arn,
		SubnetIds:     b.network.PrivateSubnets,
		AmiType:       pulumi.String("AL2023_x86_64_STANDARD"),
		InstanceTypes: pulumi.ToStringArray(nodes.InstanceTypes),
		LaunchTemplate: &awseks.NodeGroupLaunchTemplateArgs{
			Id:      template.ID(),
			Version: pulumi.Sprintf("%d", template.LatestVersion),
		},
		ScalingConfig: &awseks.NodeGroupScalingConfigArgs{
			MinSize:     pulumi.Int(nodes.MinNodes),
			DesiredSize: pulumi.Int(nodes.MinNodes),
			MaxSize:     pulumi.Int(nodes.MaxNodes),
		},
		UpdateConfig:     &awseks.NodeGroupUpdateConfigArgs{MaxUnavailable: pulumi.Int(1)},
		NodeRepairConfig: &awseks.NodeGroupNodeRepairConfigArgs{Enabled: pulumi.Bool(true)},
		Labels:           pulumi.StringMap{nodeTypeKey: pulumi.String(nodeType)},
		Tags:             b.args.Tags(nil),
	}
	if nodeType == APINodeType {
		args.Taints = awseks.NodeGroupTaintArray{&awseks.NodeGroupTaintArgs{
			Key:    pulumi.String(nodeTypeKey),
			Value:  pulumi.String(nodeType),
			Effect: pulumi.String("NO_SCHEDULE"),
		}}
	}
	return args
}
