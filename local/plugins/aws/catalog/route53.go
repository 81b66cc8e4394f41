package catalog

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

var recordTypes = []string{
	"A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SPF", "SRV", "SSHFP", "SVCB",
	"TLSA", "TXT",
}

// route53 are zones, records and the health checks that decide between them.
var route53 = table{
	"aws:route53/zone:Zone": {
		ID: "Z${word:id}", Tagged: true, AutoName: "name", Replaces: []string{"name", "delegationSetId"},
		Outputs: map[string]any{
			"arn": "arn:${partition}:route53:::hostedzone/${id}", "zoneId": "${id}", "comment": "Managed by Pulumi",
			"nameServers": nameServers, "primaryNameServer": nameServers[0],
		},
	},
	"aws:route53/record:Record": {
		ID: recordID, Required: []string{"name", "type", "zoneId"},
		Replaces: []string{"zoneId"},
		Rules:    map[string]Rule{"type": oneOf(recordTypes...), "zoneId": zoneID, "ttl": between(0, 2147483647)},
		Whole:    record,
		Outputs:  map[string]any{"fqdn": "${name}"},
	},
	"aws:route53/healthCheck:HealthCheck": {
		ID: "${uuid:id}", Tagged: true, Required: []string{"type"},
		Replaces: []string{"type", "measureLatency", "referenceName", "requestInterval", "routingControlArn"},
		Rules: map[string]Rule{
			"type": oneOf("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP", "CALCULATED",
				"CLOUDWATCH_METRIC", "RECOVERY_CONTROL"),
			"fqdn": domainName, "port": between(1, 65535), "failureThreshold": between(1, 10),
			"requestInterval": interval, "resourcePath": matches(`/\S*`, "a path that begins with /"),
			"regions": atLeast(3, "at least three regions"),
		},
		Whole: healthCheck,
		Outputs: map[string]any{
			"arn": "arn:${partition}:route53:::healthcheck/${id}", "enableSni": true, "failureThreshold": 3,
		},
	},
}

var nameServers = []any{
	"ns-0.awsdns-00.com", "ns-512.awsdns-00.net", "ns-1024.awsdns-00.org", "ns-1536.awsdns-00.co.uk",
}

func interval(value resource.PropertyValue) string {
	if value.IsNumber() && (value.NumberValue() == 10 || value.NumberValue() == 30) {
		return ""
	}
	return "want 10 or 30 seconds"
}

func recordID(r *Resource) any {
	id := r.Text("zoneId") + "_" + r.Text("name") + "_" + r.Text("type")
	if set := r.Text("setIdentifier"); set != "" {
		id += "_" + set
	}
	return id
}

// record is what Route 53 asks of a record as a whole.
func record(inputs resource.PropertyMap) []Problem {
	problems := exactlyOne("records", "aliases")(inputs)
	if given(inputs, "records") && !given(inputs, "ttl") {
		problems = append(problems, Problem{"ttl", "is required beside records"})
	}
	if given(inputs, "aliases") && given(inputs, "ttl") {
		problems = append(problems, Problem{"ttl", "cannot be given beside aliases: an alias has its target's"})
	}
	policies := 0
	for key := range inputs {
		if strings.HasSuffix(string(key), "RoutingPolicies") || strings.HasSuffix(string(key), "RoutingPolicy") {
			policies++
		}
	}
	switch named := given(inputs, "setIdentifier"); {
	case policies > 1:
		problems = append(problems, Problem{"setIdentifier", "belongs to one routing policy, more are given"})
	case policies == 1 && !named:
		problems = append(problems, Problem{"setIdentifier", "is required by a routing policy"})
	case policies == 0 && named:
		problems = append(problems, Problem{"setIdentifier", "needs a routing policy"})
	}
	return problems
}

// healthCheck is what Route 53 asks of a health check as a whole.
func healthCheck(inputs resource.PropertyMap) []Problem {
	kind := inputs["type"]
	if !kind.IsString() {
		return nil
	}
	isEndpoint := strings.HasPrefix(kind.StringValue(), "HTTP") || kind.StringValue() == "TCP"
	switch {
	case isEndpoint && !given(inputs, "fqdn") && !given(inputs, "ipAddress"):
		return []Problem{{"fqdn", "or ipAddress is required by a health check of type " + kind.StringValue()}}
	case strings.HasSuffix(kind.StringValue(), "STR_MATCH") && !given(inputs, "searchString"):
		return []Problem{{"searchString", "is required by a health check of type " + kind.StringValue()}}
	case kind.StringValue() == "CALCULATED" && !given(inputs, "childHealthchecks"):
		return []Problem{{"childHealthchecks", "is required by a health check of type CALCULATED"}}
	}
	return nil
}
