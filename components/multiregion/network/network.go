// Package network makes a VPC over three availability zones: in each a public subnet for load balancers and a NAT
// gateway, and a private one for nodes and pods. The loss of a zone takes no way to the internet from the others.
package network

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/multiregion/internal/cloud"
)

const typeToken = "agentstack:components:Network"

// anywhere is the range of all addresses.
const anywhere = "0.0.0.0/0"

// zonesWithoutEKS are zones whose subnets a cluster cannot use.
// https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html#network-requirements-subnets
var zonesWithoutEKS = []string{"use1-az3", "usw1-az2", "cac1-az3"}

// Args configures a network.
type Args struct {
	cloud.Scope

	// CIDR is its private range of IPv4 addresses, from /16 to /20. Required.
	CIDR string
}

// Network is a VPC with its subnets.
type Network struct {
	pulumi.ResourceState

	// VPC is the identifier of the network.
	VPC pulumi.IDOutput
	// PublicSubnets and PrivateSubnets are identifiers of subnets, one for each zone.
	PublicSubnets, PrivateSubnets pulumi.StringArray
}

// Validate reports every problem of the arguments, each led by the path of its field below path.
func (a Args) Validate(path *field.Path) field.ErrorList {
	problems := ValidateCIDR(path.Child("cidr"), a.CIDR)
	if a.Region == "" {
		problems = append(problems, field.Required(path.Child("region"), "give the name of the region"))
	}
	return problems
}

// New registers a network. Bad arguments register nothing.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Network, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("validate arguments of %s: %w", name, err)
	}
	network := &Network{}
	if err := ctx.RegisterComponentResource(typeToken, name, network, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	names, err := zones(ctx, args.Region, pulumi.Parent(network))
	if err != nil {
		return nil, err
	}
	b := builder{ctx: ctx, name: name, args: args, network: network, parent: pulumi.Parent(network)}
	if err := b.build(names); err != nil {
		return nil, err
	}
	if err := ctx.RegisterResourceOutputs(network, pulumi.Map{
		"vpc":            network.VPC,
		"publicSubnets":  network.PublicSubnets,
		"privateSubnets": network.PrivateSubnets,
	}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return network, nil
}

// zones returns the names of the first availability zones of the provider's region in which a cluster can be.
func zones(ctx *pulumi.Context, region string, parent pulumi.InvokeOption) ([]string, error) {
	found, err := aws.GetAvailabilityZones(ctx, &aws.GetAvailabilityZonesArgs{
		State:          pulumi.StringRef("available"),
		ExcludeZoneIds: zonesWithoutEKS,
		// Zones that an account has to opt in to are Local and Wavelength Zones.
		Filters: []aws.GetAvailabilityZonesFilter{{Name: "opt-in-status", Values: []string{"opt-in-not-required"}}},
	}, parent)
	if err != nil {
		return nil, fmt.Errorf("look up availability zones of %s: %w", region, err)
	}
	if len(found.Names) < zoneCount {
		return nil, fmt.Errorf("region %s offers a cluster the availability zones %v, and %d are needed: "+
			"choose another region", region, found.Names, zoneCount)
	}
	names := slices.Sorted(slices.Values(found.Names))
	return names[:zoneCount], nil
}

type builder struct {
	ctx     *pulumi.Context
	name    string
	args    Args
	network *Network
	parent  pulumi.ResourceOption
}

func (b builder) build(zones []string) error {
	vpc, err := ec2.NewVpc(b.ctx, b.name, &ec2.VpcArgs{
		CidrBlock:          pulumi.String(b.args.CIDR),
		EnableDnsHostnames: pulumi.Bool(true),
		Tags:               b.args.Named(b.name),
	}, b.parent)
	if err != nil {
		return fmt.Errorf("register VPC %s: %w", b.name, err)
	}
	b.network.VPC = vpc.ID()
	// Without rules, it lets nothing through to what is put into it by default.
	if _, err := ec2.NewDefaultSecurityGroup(b.ctx, b.name, &ec2.DefaultSecurityGroupArgs{
		VpcId: vpc.ID(),
		Tags:  b.args.Named(b.name + "-default"),
	}, b.parent); err != nil {
		return fmt.Errorf("register default security group of %s: %w", b.name, err)
	}
	gateway, err := ec2.NewInternetGateway(b.ctx, b.name, &ec2.InternetGatewayArgs{
		VpcId: vpc.ID(),
		Tags:  b.args.Named(b.name),
	}, b.parent)
	if err != nil {
		return fmt.Errorf("register internet gateway of %s: %w", b.name, err)
	}
	public, err := b.routeTable(b.name+"-public", &ec2.RouteTableRouteArgs{GatewayId: gateway.ID()})
	if err != nil {
		return err
	}
	ranges := divide(netip.MustParsePrefix(b.args.CIDR))
	tables := pulumi.StringArray{}
	for i, zone := range zones {
		table, err := b.zone(i, zone, ranges, public, gateway)
		if err != nil {
			return err
		}
		tables = append(tables, table.ID())
	}
	return b.storeEndpoint(tables)
}

// zone registers the two subnets of a zone and the NAT gateway between them, and returns the private one's routes.
func (b builder) zone(index int, zone string, ranges subnets, public *ec2.RouteTable,
	gateway *ec2.InternetGateway,
) (*ec2.RouteTable, error) {
	role := fmt.Sprintf("%s-public-%d", b.name, index+1)
	outer, err := b.subnet(role, zone, ranges.public[index], "kubernetes.io/role/elb", public)
	if err != nil {
		return nil, err
	}
	b.network.PublicSubnets = append(b.network.PublicSubnets, outer.ID())
	address, err := ec2.NewEip(b.ctx, role, &ec2.EipArgs{
		Domain: pulumi.String("vpc"),
		Tags:   b.args.Named(role),
	}, b.parent)
	if err != nil {
		return nil, fmt.Errorf("register elastic address %s: %w", role, err)
	}
	nat, err := ec2.NewNatGateway(b.ctx, role, &ec2.NatGatewayArgs{
		SubnetId:     outer.ID(),
		AllocationId: address.ID(),
		Tags:         b.args.Named(role),
	}, b.parent, pulumi.DependsOn([]pulumi.Resource{gateway}))
	if err != nil {
		return nil, fmt.Errorf("register NAT gateway %s: %w", role, err)
	}
	role = fmt.Sprintf("%s-private-%d", b.name, index+1)
	table, err := b.routeTable(role, &ec2.RouteTableRouteArgs{NatGatewayId: nat.ID()})
	if err != nil {
		return nil, err
	}
	inner, err := b.subnet(role, zone, ranges.private[index], "kubernetes.io/role/internal-elb", table)
	if err != nil {
		return nil, err
	}
	b.network.PrivateSubnets = append(b.network.PrivateSubnets, inner.ID())
	return table, nil
}

// subnet registers a subnet and its routes. By the tag, the load balancer controller finds the subnets for its
// balancers. https://docs.aws.amazon.com/eks/latest/userguide/network-load-balancing.html
func (b builder) subnet(name, zone string, addresses netip.Prefix, tag string, table *ec2.RouteTable,
) (*ec2.Subnet, error) {
	subnet, err := ec2.NewSubnet(b.ctx, name, &ec2.SubnetArgs{
		VpcId:            b.network.VPC,
		AvailabilityZone: pulumi.String(zone),
		CidrBlock:        pulumi.String(addresses.String()),
		Tags:             b.args.Tags(map[string]string{"Name": name, tag: "1"}),
	}, b.parent)
	if err != nil {
		return nil, fmt.Errorf("register subnet %s: %w", name, err)
	}
	if _, err := ec2.NewRouteTableAssociation(b.ctx, name, &ec2.RouteTableAssociationArgs{
		SubnetId:     subnet.ID(),
		RouteTableId: table.ID(),
	}, b.parent); err != nil {
		return nil, fmt.Errorf("register routes of subnet %s: %w", name, err)
	}
	return subnet, nil
}

// routeTable registers a table whose default route is the given way out.
func (b builder) routeTable(name string, out *ec2.RouteTableRouteArgs) (*ec2.RouteTable, error) {
	out.CidrBlock = pulumi.String(anywhere)
	table, err := ec2.NewRouteTable(b.ctx, name, &ec2.RouteTableArgs{
		VpcId:  b.network.VPC,
		Routes: ec2.RouteTableRouteArray{out},
		Tags:   b.args.Named(name),
	}, b.parent)
	if err != nil {
		return nil, fmt.Errorf("register route table %s: %w", name, err)
	}
	return table, nil
}

// storeEndpoint leads traffic to S3, image layers and backups, around the NAT gateways, which charge for each byte.
func (b builder) storeEndpoint(tables pulumi.StringArray) error {
	_, err := ec2.NewVpcEndpoint(b.ctx, b.name+"-s3", &ec2.VpcEndpointArgs{
		VpcId:           b.network.VPC,
		ServiceName:     pulumi.String("com.amazonaws." + b.args.Region + ".s3"),
		VpcEndpointType: pulumi.String("Gateway"),
		RouteTableIds:   tables,
		Tags:            b.args.Named(b.name + "-s3"),
	}, b.parent)
	if err != nil {
		return fmt.Errorf("register S3 endpoint of %s: %w", b.name, err)
	}
	return nil
}
