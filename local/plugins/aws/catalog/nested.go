package catalog

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func unknown(value resource.PropertyValue) bool { return value.IsComputed() || value.IsOutput() }

// given reports whether the program sets an input, known or not.
func given(inputs resource.PropertyMap, name string) bool {
	value, ok := inputs[resource.PropertyKey(name)]
	return ok && !value.IsNull()
}

// field is the rule of one field of an object; an object without it breaks no rule.
func field(name string, rule Rule) Rule {
	return func(value resource.PropertyValue) string {
		if !value.IsObject() {
			return "want an object"
		}
		element, ok := value.ObjectValue()[resource.PropertyKey(name)]
		if !ok || element.IsNull() || unknown(element) {
			return ""
		}
		return prefixed("."+name, rule(element))
	}
}

// each is the rule of every element of a list.
func each(rule Rule) Rule {
	return func(value resource.PropertyValue) string {
		if !value.IsArray() {
			return "want a list"
		}
		for i, element := range value.ArrayValue() {
			if unknown(element) {
				continue
			}
			if reason := rule(element); reason != "" {
				return prefixed(fmt.Sprintf("[%d]", i), reason)
			}
		}
		return ""
	}
}

// all is the first rule that is broken.
func all(rules ...Rule) Rule {
	return func(value resource.PropertyValue) string {
		for _, rule := range rules {
			if reason := rule(value); reason != "" {
				return reason
			}
		}
		return ""
	}
}

func prefixed(path, reason string) string {
	switch {
	case reason == "":
		return ""
	case strings.HasPrefix(reason, ".") || strings.HasPrefix(reason, "["):
		return path + reason
	}
	return path + " " + reason
}

// exactlyOne asks for one input of several.
func exactlyOne(names ...string) func(resource.PropertyMap) []Problem {
	return func(inputs resource.PropertyMap) []Problem {
		var found []string
		for _, name := range names {
			if given(inputs, name) {
				found = append(found, name)
			}
		}
		if len(found) == 1 {
			return nil
		}
		reason := fmt.Sprintf("want exactly one of %s, given: %s", strings.Join(names, ", "), strings.Join(found, ", "))
		if len(found) == 0 {
			reason = "or another one of " + strings.Join(names, ", ") + " is required"
		}
		return []Problem{{names[0], reason}}
	}
}

var routeTarget = exactlyOne("gatewayId", "natGatewayId", "egressOnlyGatewayId", "networkInterfaceId",
	"transitGatewayId", "vpcEndpointId", "vpcPeeringConnectionId", "carrierGatewayId", "localGatewayId",
	"coreNetworkArn")

// document is the rule of JSON text.
var document = text(func(value string) string {
	if !json.Valid([]byte(value)) {
		return "is no JSON"
	}
	return ""
})

// holds is the rule of a JSON object with a key.
func holds(key string) Rule {
	return text(func(value string) string {
		var object map[string]any
		if err := json.Unmarshal([]byte(value), &object); err != nil {
			return fmt.Sprintf("is no JSON object: %v", err)
		}
		if object[key] == nil {
			return fmt.Sprintf("has no %q", key)
		}
		return ""
	})
}
