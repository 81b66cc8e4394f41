package catalog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Function answers a lookup in a region.
type Function func(region string, args resource.PropertyMap) (resource.PropertyMap, error)

// FindFunction returns the function of a token such as aws:index/getRegion:getRegion.
func FindFunction(token string) (Function, error) {
	if function, ok := functions[token]; ok {
		return function, nil
	}
	return nil, fmt.Errorf("the AWS simulation does not know the function %s: add it to functions.go in %s, or use "+
		"the official plugin", token, Folder)
}

// FunctionTokens are all functions of the table, in order.
func FunctionTokens() []string { return slices.Sorted(maps.Keys(functions)) }

var functions = map[string]Function{
	"aws:index/getCallerIdentity:getCallerIdentity": func(region string, _ resource.PropertyMap) (
		resource.PropertyMap, error,
	) {
		return answer(map[string]any{
			"accountId": Account, "userId": "AIDASIMULATION", "id": Account,
			"arn": "arn:" + Partition(region) + ":iam::" + Account + ":user/simulation",
		}), nil
	},
	"aws:index/getPartition:getPartition": func(region string, _ resource.PropertyMap) (resource.PropertyMap, error) {
		return answer(map[string]any{
			"partition": Partition(region), "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws",
			"id": Partition(region),
		}), nil
	},
	"aws:index/getRegion:getRegion": func(region string, _ resource.PropertyMap) (resource.PropertyMap, error) {
		return answer(map[string]any{
			"name": region, "description": region, "endpoint": "ec2." + region + ".amazonaws.com",
		}), nil
	},
	"aws:index/getAvailabilityZones:getAvailabilityZones": availabilityZones,
	"aws:lb/getHostedZoneId:getHostedZoneId": func(region string, _ resource.PropertyMap) (
		resource.PropertyMap, error,
	) {
		return answer(map[string]any{"id": RegionalZone("lb", region)}), nil
	},
	"aws:ecr/getAuthorizationToken:getAuthorizationToken": authorizationToken,
	"aws:route53/getZone:getZone":                         zone,
}

func answer(values map[string]any) resource.PropertyMap {
	return resource.NewPropertyMapFromMap(values)
}

// availabilityZones are four in each region, without those that the program excludes.
func availabilityZones(region string, args resource.PropertyMap) (resource.PropertyMap, error) {
	var names, ids []any
	for _, letter := range []string{"a", "b", "c", "d"} {
		id := ZoneID(region, letter)
		if contains(args["excludeNames"], region+letter) || contains(args["excludeZoneIds"], id) {
			continue
		}
		names, ids = append(names, region+letter), append(ids, id)
	}
	return answer(map[string]any{"names": names, "zoneIds": ids, "groupNames": []any{region}}), nil
}

func contains(list resource.PropertyValue, text string) bool {
	return list.IsArray() && slices.ContainsFunc(list.ArrayValue(), func(element resource.PropertyValue) bool {
		return element.IsString() && element.StringValue() == text
	})
}

// authorizationToken is a login that no registry accepts. Its password is secret, as officially.
func authorizationToken(region string, args resource.PropertyMap) (resource.PropertyMap, error) {
	registry := Account
	if value := args["registryId"]; value.IsString() {
		registry = value.StringValue()
	}
	const user, password = "AWS", "simulated-password"
	secret := func(text string) resource.PropertyValue {
		return resource.MakeSecret(resource.NewStringProperty(text))
	}
	result := answer(map[string]any{
		"userName": user, "expiresAt": Created,
		"proxyEndpoint": "https://" + registry + ".dkr.ecr." + region + ".amazonaws.com",
	})
	result["password"] = secret(password)
	result["authorizationToken"] = secret(base64.StdEncoding.EncodeToString([]byte(user + ":" + password)))
	return result, nil
}

// zone is the hosted zone that the program asks for, whatever its name.
func zone(_ string, args resource.PropertyMap) (resource.PropertyMap, error) {
	id, name := "Z0123456789SIMULATED", "example.com"
	switch {
	case args["zoneId"].IsString():
		id = args["zoneId"].StringValue()
	case args["name"].IsString():
		name = args["name"].StringValue()
	default:
		return nil, errors.New("zoneId or name is required")
	}
	return answer(map[string]any{
		"id": id, "zoneId": id, "name": name, "arn": "arn:aws:route53:::hostedzone/" + id, "callerReference": "",
		"comment": "", "linkedServiceDescription": "", "linkedServicePrincipal": "", "nameServers": nameServers,
		"primaryNameServer": nameServers[0], "resourceRecordSetCount": 2, "tags": map[string]any{}, "vpcId": "",
	}), nil
}
