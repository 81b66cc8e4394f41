// Command program is a small Pulumi program for the tests: a network of the cloud, and a cluster in it that is not made
// yet when the preview runs.
package main

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

type vpc struct {
	pulumi.CustomResourceState
	Arn pulumi.StringOutput `pulumi:"arn"`
}

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		for _, key := range []string{"cidr", "providerKeys", "alertWebhookUrl"} {
			if _, ok := ctx.GetConfig("agentstack:" + key); !ok {
				return fmt.Errorf("agentstack:%s is not configured", key)
			}
		}
		cidr, _ := ctx.GetConfig("agentstack:cidr")
		region := component{}
		if err := ctx.RegisterComponentResource("test:index:Region", "us-east-1", &region); err != nil {
			return err
		}
		network, err := cloud(ctx, cidr, &region)
		if err != nil {
			return err
		}
		if err := objects(ctx, "made", pulumi.Map{"kubeconfig": network.Arn}, &region); err != nil {
			return err
		}
		return objects(ctx, "away", pulumi.Map{"context": pulumi.String("nowhere")}, &region)
	})
}

type component struct{ pulumi.ResourceState }

// cloud makes a network with the AWS plugin.
func cloud(ctx *pulumi.Context, cidr string, parent pulumi.Resource) (*vpc, error) {
	aws := provider{}
	region := pulumi.Map{"region": pulumi.String("us-east-1")}
	version := pulumi.Version("6.83.0")
	if err := ctx.RegisterResource("pulumi:providers:aws", "aws", region, &aws, version); err != nil {
		return nil, err
	}
	network := vpc{}
	err := ctx.RegisterResource("aws:ec2/vpc:Vpc", "network", pulumi.Map{"cidrBlock": pulumi.String(cidr)}, &network,
		pulumi.Parent(parent), pulumi.Provider(&aws), version)
	return &network, err
}

// provider makes the options accept a provider that no SDK declares.
type provider struct{ pulumi.ProviderResourceState }

// objects makes a namespace and a Helm release in a cluster.
func objects(ctx *pulumi.Context, name string, cluster pulumi.Map, parent pulumi.Resource) error {
	kubernetes := provider{}
	version := pulumi.Version("4.23.0")
	err := ctx.RegisterResource("pulumi:providers:kubernetes", name, cluster, &kubernetes, version)
	if err != nil {
		return err
	}
	in := []pulumi.ResourceOption{pulumi.Parent(parent), pulumi.Provider(&kubernetes), version}
	err = ctx.RegisterResource("kubernetes:core/v1:Namespace", name, pulumi.Map{
		"metadata": pulumi.Map{"name": pulumi.String(name)},
	}, &pulumi.CustomResourceState{}, in...)
	if err != nil {
		return err
	}
	return ctx.RegisterResource("kubernetes:helm.sh/v3:Release", name, pulumi.Map{
		"chart": pulumi.String("cloudnative-pg"),
	}, &pulumi.CustomResourceState{}, in...)
}
