package eks

import (
	"fmt"

	awseks "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// addon is a part of the cluster that EKS installs, in the version that it recommends for the cluster's.
type addon struct {
	name string
	// values is the configuration in JSON. `aws eks describe-addon-configuration` shows what there is.
	values string
}

var (
	// addonsBeforeNodes are DaemonSets, which are installed once there is nothing that they have to run on.
	addonsBeforeNodes = []addon{
		{name: "vpc-cni", values: `{"enableNetworkPolicy":"true"}`},
		{name: "kube-proxy"},
		{name: "eks-pod-identity-agent"},
	}
	// addonsOnNodes are installed once their pods run.
	addonsOnNodes = []addon{
		{name: "coredns"},
		{name: "aws-ebs-csi-driver"},
		{name: "metrics-server"},
	}
)

func (b *builder) newAddons(addons []addon, after []pulumi.Resource) ([]pulumi.Resource, error) {
	var made []pulumi.Resource
	for _, addon := range addons {
		args := &awseks.AddonArgs{
			ClusterName: b.cluster.Name,
			AddonName:   pulumi.String(addon.name),
			// What someone changed in the cluster by hand is changed back.
			ResolveConflictsOnCreate: pulumi.String("OVERWRITE"),
			ResolveConflictsOnUpdate: pulumi.String("OVERWRITE"),
			Tags:                     b.args.Tags(nil),
		}
		if addon.values != "" {
			args.ConfigurationValues = pulumi.String(addon.values)
		}
		resource, err := awseks.NewAddon(b.ctx, b.name+"-"+addon.name, args, b.parent, pulumi.DependsOn(after))
		if err != nil {
			return nil, fmt.Errorf("register addon %s of %s: %w", addon.name, b.name, err)
		}
		made = append(made, resource)
	}
	return made, nil
}
