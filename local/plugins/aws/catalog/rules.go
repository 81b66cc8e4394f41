package catalog

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Rule says what is wrong with a known value, or nothing.
type Rule func(value resource.PropertyValue) string

// text makes a rule of a rule for texts; another kind of value breaks it.
func text(rule func(value string) string) Rule {
	return func(value resource.PropertyValue) string {
		if !value.IsString() {
			return fmt.Sprintf("is a %s, want a text", value.TypeString())
		}
		return rule(value.StringValue())
	}
}

// matches is the rule of a pattern; allowed says it in words.
func matches(pattern, allowed string) Rule {
	compiled := regexp.MustCompile("^(?:" + pattern + ")$")
	return text(func(value string) string {
		if compiled.MatchString(value) {
			return ""
		}
		return fmt.Sprintf("%q is given, want %s", value, allowed)
	})
}

func oneOf(allowed ...string) Rule {
	return text(func(value string) string {
		if slices.Contains(allowed, value) {
			return ""
		}
		return fmt.Sprintf("%q is given, want one of %s", value, strings.Join(allowed, ", "))
	})
}

// between is the rule of a number.
func between(least, most float64) Rule {
	return func(value resource.PropertyValue) string {
		if value.IsNumber() && value.NumberValue() >= least && value.NumberValue() <= most {
			return ""
		}
		return fmt.Sprintf("%v is given, want a number from %v to %v", value.V, least, most)
	}
}

// atLeast is the rule of a list.
func atLeast(count int, allowed string) Rule {
	return func(value resource.PropertyValue) string {
		if value.IsArray() && len(value.ArrayValue()) >= count {
			return ""
		}
		return "want " + allowed
	}
}

// network4 is the rule of an IPv4 network whose prefix is from shortest to longest bits and whose address is its first.
func network4(shortest, longest int) Rule {
	return text(func(value string) string {
		prefix, err := netip.ParsePrefix(value)
		switch {
		case err != nil || !prefix.Addr().Is4():
			return fmt.Sprintf("%q is no IPv4 network such as 10.0.0.0/16", value)
		case prefix.Masked() != prefix:
			return fmt.Sprintf("%q is given; the network's address is %s", value, prefix.Masked())
		case prefix.Bits() < shortest || prefix.Bits() > longest:
			return fmt.Sprintf("%q is given, want a prefix from /%d to /%d", value, shortest, longest)
		}
		return ""
	})
}

const exampleARN = "arn:aws:iam::123456789012:role/name"

var (
	vpcNetwork   = network4(16, 28)
	routeNetwork = network4(0, 32)
	roleName     = matches(`[\w+=,.@-]{1,64}`, "a role's name (at most 64 letters, digits and _+=,.@-), not its ARN")
	policyName   = matches(`[\w+=,.@-]{1,128}`, "at most 128 letters, digits and _+=,.@-")
	anyARN       = matches(`arn:aws[\w-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12}|aws)?:\S+`, "an ARN such as "+exampleARN)
	roleARN      = matches(`arn:aws[\w-]*:iam::\d{12}:role/\S+`, "a role's ARN such as "+exampleARN)
	clusterName  = matches(`[0-9A-Za-z][0-9A-Za-z_-]{0,99}`, "at most 100 letters, digits, - and _")
	eksVersion   = matches(`1\.\d\d`, "a version such as 1.34")
	repository   = matches(`[a-z0-9]+(?:[._/-][a-z0-9]+)*`, "lower-case letters and digits, single ._-/ between them")
	domainName   = matches(`(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}\.?`,
		"a domain name")
	zoneID     = matches(`Z[A-Z0-9]{1,31}`, "a hosted zone's ID such as Z0123456789ABCDEFGHIJ")
	tagMutable = oneOf("MUTABLE", "IMMUTABLE")
)

var bucketName = text(func(value string) string {
	shape := regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	_, isAddress := netip.ParseAddr(value)
	switch {
	case !shape.MatchString(value), strings.Contains(value, ".."), isAddress == nil:
		return fmt.Sprintf("%q is given, want 3 to 63 lower-case letters, digits, dots, dashes, no IP address", value)
	case strings.HasPrefix(value, "xn--"), strings.HasSuffix(value, "-s3alias"):
		return fmt.Sprintf("%q is given, but AWS keeps the prefix xn-- and the suffix -s3alias to itself", value)
	}
	return ""
})

// tags is the rule of what every service allows.
func tags(value resource.PropertyValue) string {
	const most, longestKey, longestValue = 50, 128, 256
	if !value.IsObject() {
		return "want an object of texts"
	}
	if count := len(value.ObjectValue()); count > most {
		return fmt.Sprintf("%d tags are given, want at most %d", count, most)
	}
	for key, element := range value.ObjectValue() {
		switch {
		case key == "" || len(key) > longestKey:
			return fmt.Sprintf("the key %q is given, want 1 to %d characters", key, longestKey)
		case strings.HasPrefix(strings.ToLower(string(key)), "aws:"):
			return fmt.Sprintf("the key %q is given, but AWS keeps the prefix aws: to itself", key)
		case element.IsString() && len(element.StringValue()) > longestValue:
			return fmt.Sprintf("the value of %s is longer than %d characters", key, longestValue)
		}
	}
	return ""
}

// statement is what a policy's statement needs to be one.
type statement struct {
	Effect                  string
	Action, NotAction       any
	Resource, NotResource   any
	Principal, NotPrincipal any
	Sid                     string
	Condition               map[string]map[string]any
}

// identityPolicy is the rule of what a role or a user may do, trustPolicy of who may act as a role, resourcePolicy of
// who may use a resource.
var (
	identityPolicy = policy(false, true)
	trustPolicy    = policy(true, false)
	resourcePolicy = policy(true, true)
)

func policy(principals, resources bool) Rule {
	return text(func(value string) string {
		var document struct {
			Version, ID string
			Statement   json.RawMessage
		}
		if err := json.Unmarshal([]byte(value), &document); err != nil {
			return fmt.Sprintf("is no JSON policy document: %v", err)
		}
		if document.Version != "2012-10-17" && document.Version != "2008-10-17" {
			return fmt.Sprintf("has the Version %q, want 2012-10-17", document.Version)
		}
		statements, err := parseStatements(document.Statement)
		if err != nil {
			return err.Error()
		}
		for i, s := range statements {
			if reason := s.wrong(principals, resources); reason != "" {
				return fmt.Sprintf("Statement[%d] %s", i, reason)
			}
		}
		return ""
	})
}

func parseStatements(raw json.RawMessage) ([]statement, error) {
	var many []statement
	if json.Unmarshal(raw, &many) == nil && len(many) > 0 {
		return many, nil
	}
	var one statement
	if err := json.Unmarshal(raw, &one); err != nil {
		return nil, fmt.Errorf("has no Statement that is an object or a list of them")
	}
	return []statement{one}, nil
}

func (s statement) wrong(principals, resources bool) string {
	hasPrincipal, hasResource := s.Principal != nil || s.NotPrincipal != nil, s.Resource != nil || s.NotResource != nil
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny":
		return fmt.Sprintf("has the Effect %q, want Allow or Deny", s.Effect)
	case s.Action == nil && s.NotAction == nil:
		return "has no Action"
	case hasPrincipal && !principals:
		return "has a Principal, which a policy of an identity cannot have"
	case !hasPrincipal && principals:
		return "has no Principal"
	case hasResource && !resources:
		return "has a Resource, which a trust policy cannot have"
	case !hasResource && resources:
		return "has no Resource"
	}
	return ""
}
