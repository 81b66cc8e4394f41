package multiregion

import (
	"cmp"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/multiregion/dns"
)

// prefixPattern leaves room for what is appended: a bucket's name has at most 63 characters, a region's at most 14.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
var prefixPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$`)

// Settings is what a stack's configuration says about AWS. A zero field stands for its default.
type Settings struct {
	// Domain is the public name of the stack, such as agent.example.com. Required.
	Domain string `json:"domain"`
	// ZoneID is the hosted zone of Route 53 that the domain is in, such as Z0123456789ABC. Required.
	ZoneID string `json:"zoneId"`
	// BucketPrefix begins the names of the buckets, which no other account in the world may have. Required.
	BucketPrefix string `json:"bucketPrefix"`
	// Routing is failover, where the primary region gets all requests while it is healthy, or latency, where each
	// region gets those from nearby. Default failover.
	Routing string `json:"routing"`
}

func (s Settings) withDefaults() Settings {
	s.Routing = cmp.Or(s.Routing, dns.RoutingFailover)
	return s
}

// Validate reports every problem of the settings, each led by the path of its field below path.
func (s Settings) Validate(path *field.Path) field.ErrorList {
	s = s.withDefaults()
	problems := dns.ValidateZone(path, s.Domain, s.ZoneID)
	if !prefixPattern.MatchString(s.BucketPrefix) {
		problems = append(problems, field.Invalid(path.Child("bucketPrefix"), s.BucketPrefix,
			"must be 3 to 40 small letters, digits and hyphens, such as example-ai-agent"))
	}
	if !slices.Contains(dns.Routings, s.Routing) {
		problems = append(problems, field.NotSupported(path.Child("routing"), s.Routing, dns.Routings))
	}
	return problems
}
