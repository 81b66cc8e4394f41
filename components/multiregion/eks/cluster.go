package eks

import (
	"fmt"
	"path"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	awseks "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumix"

	"agentstack/components/multiregion/internal/cloud"
)

const (
	// logRetention is how many days the logs of the control plane are kept.
	logRetention = 90
	// keyDeletionWindow is how many days a deleted key can be restored, at most 30. What it encrypted is lost after.
	keyDeletionWindow = 30
)

// controlPlaneLogs are all that there are.
// https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
var controlPlaneLogs = []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}

// newCluster registers the control plane.
func (b *builder) newCluster() error {
	key, err := kms.NewKey(b.ctx, b.name+"-secrets", &kms.KeyArgs{
		Description:          pulumi.String("Kubernetes secrets of " + Name(b.args.Scope)),
		EnableKeyRotation:    pulumi.Bool(true),
		DeletionWindowInDays: pulumi.Int(keyDeletionWindow),
		Tags:                 b.args.Tags(nil),
	}, b.parent)
	if err != nil {
		return fmt.Errorf("register key of %s: %w", b.name, err)
	}
	role, permissions, err := b.clusterRole(key)
	if err != nil {
		return err
	}
	// EKS would make this group itself, and keep the logs in it for ever.
	logs, err := cloudwatch.NewLogGroup(b.ctx, b.name, &cloudwatch.LogGroupArgs{
		Name:            pulumi.String("/aws/eks/" + Name(b.args.Scope) + "/cluster"),
		RetentionInDays: pulumi.Int(logRetention),
		Tags:            b.args.Tags(nil),
	}, b.parent)
	if err != nil {
		return fmt.Errorf("register logs of %s: %w", b.name, err)
	}
	b.cluster, err = awseks.NewCluster(b.ctx, b.name, b.clusterArgs(role, key), b.parent,
		pulumi.DependsOn(append(permissions, logs)))
	if err != nil {
		return fmt.Errorf("register cluster %s: %w", b.name, err)
	}
	return b.newAccess()
}

// clusterRole registers the role of the control plane and returns it with its permissions.
func (b *builder) clusterRole(key *kms.Key) (*iam.Role, []pulumi.Resource, error) {
	role, err := b.newRole("cluster", "control plane", cloud.Trust("eks.amazonaws.com", nil))
	if err != nil {
		return nil, nil, err
	}
	control, err := b.attach("cluster", role, "AmazonEKSClusterPolicy")
	if err != nil {
		return nil, nil, err
	}
	secrets, err := iam.NewRolePolicy(b.ctx, b.name+"-secrets", &iam.RolePolicyArgs{
		Role: role.Name,
		Policy: pulumix.Cast[pulumi.StringOutput](pulumix.Apply(key.Arn, func(arn string) string {
			actions := []string{"kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey"}
			return string(cloud.Policy(cloud.Allow(actions, []string{arn})))
		})),
	}, b.parent)
	if err != nil {
		return nil, nil, fmt.Errorf("register use of the key of %s: %w", b.name, err)
	}
	return role, []pulumi.Resource{control, secrets}, nil
}

func (b *builder) clusterArgs(role *iam.Role, key *kms.Key) *awseks.ClusterArgs {
	vpc := &awseks.ClusterVpcConfigArgs{
		SubnetIds:             b.network.PrivateSubnets,
		EndpointPrivateAccess: pulumi.Bool(true),
		EndpointPublicAccess:  pulumi.Bool(len(b.args.EndpointAccessCIDRs) > 0),
	}
	if len(b.args.EndpointAccessCIDRs) > 0 {
		vpc.PublicAccessCidrs = pulumi.ToStringArray(b.args.EndpointAccessCIDRs)
	}
	return &awseks.ClusterArgs{
		Name:      pulumi.String(Name(b.args.Scope)),
		RoleArn:   role.Arn,
		Version:   pulumi.String(b.args.Version),
		VpcConfig: vpc,
		AccessConfig: &awseks.ClusterAccessConfigArgs{
			AuthenticationMode:                      pulumi.String("API"),
			BootstrapClusterCreatorAdminPermissions: pulumi.Bool(true),
		},
		EncryptionConfig: &awseks.ClusterEncryptionConfigArgs{
			Provider:  &awseks.ClusterEncryptionConfigProviderArgs{KeyArn: key.Arn},
			Resources: pulumi.ToStringArray([]string{"secrets"}),
		},
		EnabledClusterLogTypes: pulumi.ToStringArray(controlPlaneLogs),
		// All addons are those of EKS, which it keeps up to date.
		BootstrapSelfManagedAddons: pulumi.Bool(false),
		// At the end of a version's standard support, EKS upgrades the cluster instead of charging for an extension.
		UpgradePolicy: &awseks.ClusterUpgradePolicyArgs{SupportType: pulumi.String("STANDARD")},
		Tags:          b.args.Tags(nil),
	}
}

// newAccess makes the configured principals administrators.
func (b *builder) newAccess() error {
	policy := b.args.ARN("eks", "", "aws", "cluster-access-policy/AmazonEKSClusterAdminPolicy")
	for _, principal := range b.args.Admins {
		name := b.name + "-admin-" + path.Base(principal)
		entry, err := awseks.NewAccessEntry(b.ctx, name, &awseks.AccessEntryArgs{
			ClusterName:  b.cluster.Name,
			PrincipalArn: pulumi.String(principal),
			Tags:         b.args.Tags(nil),
		}, b.parent)
		if err != nil {
			return fmt.Errorf("register access of %s: %w", principal, err)
		}
		if _, err := awseks.NewAccessPolicyAssociation(b.ctx, name, &awseks.AccessPolicyAssociationArgs{
			ClusterName:  b.cluster.Name,
			PrincipalArn: entry.PrincipalArn,
			PolicyArn:    pulumi.String(policy),
			AccessScope:  &awseks.AccessPolicyAssociationAccessScopeArgs{Type: pulumi.String("cluster")},
		}, b.parent); err != nil {
			return fmt.Errorf("register permissions of %s: %w", principal, err)
		}
	}
	return nil
}
