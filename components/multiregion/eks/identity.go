package eks

import (
	"fmt"

	awseks "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/multiregion/internal/cloud"
)

// Identity is what the pods of a service account are in AWS.
type Identity struct {
	// Name is part of the names of its resources.
	Name string
	// Namespace and ServiceAccount of the pods.
	Namespace, ServiceAccount string
	// Permissions are what the pods may do.
	Permissions []cloud.Statement
	// ManagedPolicy is the name of a policy of AWS that says it instead.
	ManagedPolicy string
}

// systemIdentities are those of what belongs to every cluster.
func systemIdentities(scope cloud.Scope) []Identity {
	return []Identity{
		{
			Name: "vpc-cni", Namespace: systemNamespace, ServiceAccount: "aws-node",
			ManagedPolicy: "AmazonEKS_CNI_Policy",
		},
		{
			Name: "ebs-csi", Namespace: systemNamespace, ServiceAccount: "ebs-csi-controller-sa",
			Permissions: volumePermissions(scope),
		},
		{
			Name: "load-balancer", Namespace: systemNamespace, ServiceAccount: loadBalancerController,
			Permissions: loadBalancerPermissions(scope),
		},
		{
			Name: "autoscaler", Namespace: systemNamespace, ServiceAccount: autoscaler,
			Permissions: autoscalerPermissions(scope),
		},
	}
}

// newIdentities registers identities. A pod gets its identity when it starts, so pods have to wait for them.
func (b *builder) newIdentities(identities []Identity) ([]pulumi.Resource, error) {
	var made []pulumi.Resource
	for _, identity := range identities {
		role, err := b.newRole(identity.Name, identity.Namespace+"/"+identity.ServiceAccount, b.podTrust(identity))
		if err != nil {
			return nil, err
		}
		permissions, err := b.newPermissions(identity, role)
		if err != nil {
			return nil, err
		}
		association, err := awseks.NewPodIdentityAssociation(b.ctx, b.name+"-"+identity.Name,
			&awseks.PodIdentityAssociationArgs{
				ClusterName:    b.cluster.Name,
				Namespace:      pulumi.String(identity.Namespace),
				ServiceAccount: pulumi.String(identity.ServiceAccount),
				RoleArn:        role.Arn,
				Tags:           b.args.Tags(nil),
			}, b.parent, pulumi.DependsOn([]pulumi.Resource{permissions}))
		if err != nil {
			return nil, fmt.Errorf("register identity %s of %s: %w", identity.Name, b.name, err)
		}
		made = append(made, association)
	}
	return made, nil
}

// podTrust lets the pods of one service account, in this cluster, assume a role.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
func (b *builder) podTrust(identity Identity) cloud.Statement {
	trust := cloud.Trust("pods.eks.amazonaws.com", cloud.Condition{"StringEquals": {
		"aws:RequestTag/eks-cluster-name":           Name(b.args.Scope),
		"aws:RequestTag/kubernetes-namespace":       identity.Namespace,
		"aws:RequestTag/kubernetes-service-account": identity.ServiceAccount,
	}})
	trust.Action = append(trust.Action, "sts:TagSession")
	return trust
}

func (b *builder) newPermissions(identity Identity, role *iam.Role) (pulumi.Resource, error) {
	if identity.ManagedPolicy != "" {
		return b.attach(identity.Name, role, identity.ManagedPolicy)
	}
	policy, err := iam.NewRolePolicy(b.ctx, b.name+"-"+identity.Name, &iam.RolePolicyArgs{
		Role:   role.Name,
		Policy: cloud.Policy(identity.Permissions...),
	}, b.parent)
	if err != nil {
		return nil, fmt.Errorf("register permissions of %s: %w", identity.Name, err)
	}
	return policy, nil
}

func (b *builder) newRole(name, user string, trust cloud.Statement) (*iam.Role, error) {
	role, err := iam.NewRole(b.ctx, b.name+"-"+name, &iam.RoleArgs{
		Description:      pulumi.String(user + " of " + Name(b.args.Scope)),
		AssumeRolePolicy: cloud.Policy(trust),
		Tags:             b.args.Tags(nil),
	}, b.parent)
	if err != nil {
		return nil, fmt.Errorf("register role %s of %s: %w", name, b.name, err)
	}
	return role, nil
}

// attach gives a role the permissions of a policy that AWS maintains.
func (b *builder) attach(name string, role *iam.Role, policy string) (*iam.RolePolicyAttachment, error) {
	attachment, err := iam.NewRolePolicyAttachment(b.ctx, b.name+"-"+name, &iam.RolePolicyAttachmentArgs{
		Role:      role.Name,
		PolicyArn: pulumi.String(b.args.ManagedPolicy(policy)),
	}, b.parent)
	if err != nil {
		return nil, fmt.Errorf("attach %s to role %s of %s: %w", policy, name, b.name, err)
	}
	return attachment, nil
}
