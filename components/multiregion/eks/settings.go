package eks

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/multiregion/network"
)

var (
	versionPattern      = regexp.MustCompile(`^1\.[1-9][0-9]$`)
	instanceTypePattern = regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9-]+$`)
	principalPattern    = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/\S+$`)
)

// Settings is what a stack's configuration says about the cluster of a region. A zero field stands for its default.
type Settings struct {
	// Version of Kubernetes, without a patch version. Default 1.34.
	Version string `json:"version"`
	// CIDR is the range of addresses of the cluster's network, from /16 to /20. Default 10.0.0.0/16.
	CIDR string `json:"cidr"`
	// EndpointAccessCIDRs may reach the API server over the internet. Default: none, it is reached from inside of the
	// network alone, which is where Pulumi then has to run.
	EndpointAccessCIDRs []string `json:"endpointAccessCidrs"`
	// Admins are ARNs of IAM roles or users that administer the cluster, beside the identity that makes it.
	Admins []string `json:"admins"`
	// NodeGroup runs the databases, the monitoring and the operators. Default: from 3 to 6 m6i.xlarge.
	NodeGroup NodeGroup `json:"nodeGroup"`
	// APINodeGroup runs the API and nothing else: its nodes carry the taint node-type=ai-agent:NoSchedule. Default:
	// from 3 to 9 c6i.xlarge.
	APINodeGroup NodeGroup `json:"apiNodeGroup"`
}

// NodeGroup describes nodes that are alike, spread over the zones.
type NodeGroup struct {
	// InstanceTypes are what its nodes can be, the preferred first, all of the architecture x86-64.
	InstanceTypes []string `json:"instanceTypes"`
	// MinNodes is how many there are at least.
	MinNodes int `json:"minNodes"`
	// MaxNodes is how many there are at most; in between the pods that do not fit decide.
	MaxNodes int `json:"maxNodes"`
}

func (s Settings) withDefaults() Settings {
	s.Version = cmp.Or(s.Version, "1.34")
	s.CIDR = cmp.Or(s.CIDR, "10.0.0.0/16")
	s.NodeGroup = s.NodeGroup.or(NodeGroup{InstanceTypes: []string{"m6i.xlarge"}, MinNodes: 3, MaxNodes: 6})
	s.APINodeGroup = s.APINodeGroup.or(NodeGroup{InstanceTypes: []string{"c6i.xlarge"}, MinNodes: 3, MaxNodes: 9})
	return s
}

func (g NodeGroup) or(fallback NodeGroup) NodeGroup {
	if len(g.InstanceTypes) == 0 {
		g.InstanceTypes = fallback.InstanceTypes
	}
	g.MinNodes = cmp.Or(g.MinNodes, fallback.MinNodes)
	g.MaxNodes = cmp.Or(g.MaxNodes, max(g.MinNodes, fallback.MaxNodes))
	return g
}

// Validate reports every problem of the settings, each led by the path of its field below path.
func (s Settings) Validate(path *field.Path) field.ErrorList {
	s = s.withDefaults()
	problems := network.ValidateCIDR(path.Child("cidr"), s.CIDR)
	if !versionPattern.MatchString(s.Version) {
		problems = append(problems, field.Invalid(path.Child("version"), s.Version,
			"must be a minor version of Kubernetes, such as 1.34, in quotes"))
	}
	for i, addresses := range s.EndpointAccessCIDRs {
		parsed, err := netip.ParsePrefix(addresses)
		if err != nil || !parsed.Addr().Is4() || parsed != parsed.Masked() {
			problems = append(problems, field.Invalid(path.Child("endpointAccessCidrs").Index(i), addresses,
				"must be a range of IPv4 addresses, such as 203.0.113.0/24"))
		}
	}
	for i, principal := range s.Admins {
		at := path.Child("admins").Index(i)
		switch {
		case !principalPattern.MatchString(principal):
			problems = append(problems, field.Invalid(at, principal,
				"must be the ARN of a role or user, such as arn:aws:iam::111122223333:role/operators"))
		case slices.Contains(s.Admins[:i], principal):
			problems = append(problems, field.Duplicate(at, principal))
		}
	}
	problems = append(problems, s.NodeGroup.validate(path.Child("nodeGroup"))...)
	return append(problems, s.APINodeGroup.validate(path.Child("apiNodeGroup"))...)
}

func (g NodeGroup) validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	for i, instanceType := range g.InstanceTypes {
		if !instanceTypePattern.MatchString(instanceType) {
			problems = append(problems, field.Invalid(path.Child("instanceTypes").Index(i), instanceType,
				"must be a type of EC2 instances, such as m6i.xlarge"))
		}
	}
	if g.MinNodes < 1 {
		problems = append(problems, field.Invalid(path.Child("minNodes"), g.MinNodes, "must be at least 1"))
	}
	if g.MaxNodes < g.MinNodes {
		problems = append(problems, field.Invalid(path.Child("maxNodes"), g.MaxNodes, "must be at least minNodes"))
	}
	return problems
}
