package dns

// Values of Args.Routing.
const (
	// RoutingFailover answers with the primary region as long as it is healthy, and else with the nearest other.
	RoutingFailover = "failover"
	// RoutingLatency answers with the nearest region that is healthy.
	RoutingLatency = "latency"
)

// Routings are all values of Args.Routing.
var Routings = []string{RoutingFailover, RoutingLatency}

// record describes an alias record.
type record struct {
	// role tells it from the others in the name of its Pulumi resource.
	role string
	// name is its full domain name.
	name string
	// balancer is the region to whose load balancer it leads. Empty: it leads to target, a name in the same zone.
	balancer, target string
	// failover is PRIMARY or SECONDARY, and latency a region, where several records have the same name.
	failover, latency string
	// check is the region whose health decides about the record. Empty: that of the target alone does.
	check string
}

// RegionName is the name of one region's load balancer.
func RegionName(region, domain string) string { return region + "." + domain }

// records returns the records of a domain, of which the first region is the primary one.
func records(domain, routing string, regions []string) []record {
	var all []record
	for _, region := range regions {
		all = append(all, record{role: region, name: RegionName(region, domain), balancer: region})
	}
	primary := regions[0]
	switch {
	case len(regions) == 1:
		return append(all, record{role: "domain", name: domain, target: RegionName(primary, domain)})
	case routing == RoutingLatency:
		return append(all, nearest("domain", domain, domain, regions)...)
	}
	standby := "standby." + domain
	all = append(all,
		record{
			role: "primary", name: domain, target: RegionName(primary, domain), failover: "PRIMARY", check: primary,
		},
		record{role: "secondary", name: domain, target: standby, failover: "SECONDARY"},
	)
	return append(all, nearest("standby", standby, domain, regions[1:])...)
}

// nearest returns records that answer to name with the healthy region that is nearest to the one who asks.
func nearest(role, name, domain string, regions []string) []record {
	var all []record
	for _, region := range regions {
		all = append(all, record{
			role: role + "-" + region, name: name, target: RegionName(region, domain), latency: region, check: region,
		})
	}
	return all
}
