package catalog

// network are the parts of a VPC.
var network = table{
	"aws:ec2/vpc:Vpc": {
		ID: "vpc-${hex:id}", Tagged: true, Replaces: []string{"cidrBlock", "ipv4IpamPoolId", "ipv4NetmaskLength"},
		Rules: map[string]Rule{"cidrBlock": vpcNetwork, "instanceTenancy": oneOf("default", "dedicated")},
		Outputs: map[string]any{
			"arn": arn("ec2", "vpc/${id}"), "ownerId": "${account}",
			"defaultNetworkAclId": "acl-${hex:acl}", "defaultRouteTableId": "rtb-${hex:route table}",
			"mainRouteTableId": "rtb-${hex:route table}", "defaultSecurityGroupId": "sg-${hex:security group}",
			"dhcpOptionsId": "dopt-${hex:dhcp}", "ipv6AssociationId": "",
			"enableDnsSupport": true, "enableDnsHostnames": false, "instanceTenancy": "default",
		},
	},
	"aws:ec2/subnet:Subnet": {
		ID: "subnet-${hex:id}", Tagged: true, Required: []string{"vpcId"},
		Replaces: []string{"vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId", "ipv6Native", "outpostArn"},
		Rules: map[string]Rule{
			"cidrBlock":        vpcNetwork,
			"availabilityZone": matches(`[a-z]{2}(-[a-z]+)+-\d[a-z]`, "a zone such as us-east-1a"),
		},
		Outputs: map[string]any{
			"arn": arn("ec2", "subnet/${id}"), "ownerId": "${account}", "ipv6CidrBlockAssociationId": "",
			"availabilityZone": "${region}a", "availabilityZoneId": zoneIDOfSubnet,
			"privateDnsHostnameTypeOnLaunch": "ip-name",
		},
	},
	"aws:ec2/internetGateway:InternetGateway": {
		ID: "igw-${hex:id}", Tagged: true,
		Outputs: map[string]any{"arn": arn("ec2", "internet-gateway/${id}"), "ownerId": "${account}"},
	},
	"aws:ec2/eip:Eip": {
		ID: "eipalloc-${hex:id}", Tagged: true,
		Replaces: []string{"address", "domain", "networkBorderGroup", "publicIpv4Pool"},
		Rules:    map[string]Rule{"domain": oneOf("vpc", "standard")},
		Outputs: map[string]any{
			"allocationId": "${id}", "arn": arn("ec2", "elastic-ip/${id}"), "publicIp": "${ip:address}",
			"publicDns": "ec2-${ip:address}.${region}.compute.amazonaws.com", "associationId": "", "carrierIp": "",
			"customerOwnedIp": "", "privateDns": "", "privateIp": "", "ptrRecord": "",
			"domain": "vpc", "networkBorderGroup": "${region}",
		},
	},
	"aws:ec2/natGateway:NatGateway": {
		ID: "nat-${hex:id}", Tagged: true, Required: []string{"subnetId"},
		Replaces: []string{"subnetId", "allocationId", "connectivityType", "privateIp"},
		Rules:    map[string]Rule{"connectivityType": oneOf("public", "private")},
		Outputs: map[string]any{
			"associationId": "eipassoc-${hex:association}", "networkInterfaceId": "eni-${hex:interface}",
			"publicIp": "${ip:address}", "privateIp": "10.0.0.10",
		},
	},
	"aws:ec2/routeTable:RouteTable": {
		ID: "rtb-${hex:id}", Tagged: true, Required: []string{"vpcId"}, Replaces: []string{"vpcId"},
		Outputs: map[string]any{"arn": arn("ec2", "route-table/${id}"), "ownerId": "${account}"},
	},
	"aws:ec2/route:Route": {
		ID: "r-${routeTableId}${number:id}", Required: []string{"routeTableId"},
		Replaces: []string{
			"routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId",
		},
		Rules: map[string]Rule{"destinationCidrBlock": routeNetwork},
		Whole: routeTarget,
		Outputs: map[string]any{
			"origin": "CreateRoute", "state": "active", "instanceId": "", "instanceOwnerId": "",
		},
	},
	"aws:ec2/routeTableAssociation:RouteTableAssociation": {
		ID: "rtbassoc-${hex:id}", Required: []string{"routeTableId"}, Replaces: []string{"subnetId", "gatewayId"},
		Whole: exactlyOne("subnetId", "gatewayId"),
	},
	"aws:ec2/vpcEndpoint:VpcEndpoint": {
		ID: "vpce-${hex:id}", Tagged: true, Required: []string{"vpcId"},
		Replaces: []string{"vpcId", "serviceName", "vpcEndpointType"},
		Rules: map[string]Rule{
			"vpcEndpointType": oneOf("Gateway", "Interface", "GatewayLoadBalancer"), "policy": resourcePolicy,
			"serviceName": matches(`(com|aws)\.[\w.-]+`, "a service's name such as com.amazonaws.us-east-1.s3"),
		},
		Outputs: map[string]any{
			"arn": arn("ec2", "vpc-endpoint/${id}"), "ownerId": "${account}", "state": "available",
			"prefixListId": "pl-${hex:prefixes}", "requesterManaged": false, "cidrBlocks": []any{},
			"networkInterfaceIds": []any{}, "dnsEntries": []any{}, "vpcEndpointType": "Gateway",
		},
	},
}

// zoneIDOfSubnet is that of the subnet's zone, which is the region's first unless the program says otherwise.
func zoneIDOfSubnet(r *Resource) any {
	letter := "a"
	if zone := r.Text("availabilityZone"); zone != "" {
		letter = zone[len(zone)-1:]
	}
	return ZoneID(r.Region, letter)
}
