package pulumitest

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// AccountID is the AWS account in which recorded programs run.
	AccountID = "111122223333"
	// Region is the one of AWS providers that are given none.
	Region = "us-east-1"
)

// awsAnswer returns what an AWS lookup gives in a region, and whether it is one of those that programs make.
func awsAnswer(token, region string) (answer map[string]any, known bool) {
	answers := map[string]map[string]any{
		"aws:index/getAvailabilityZones:getAvailabilityZones": {
			"id":    region,
			"names": []any{region + "a", region + "b", region + "c"},
			"zoneIds": []any{
				region + "-az1", region + "-az2", region + "-az3",
			},
		},
		"aws:index/getCallerIdentity:getCallerIdentity": {
			"id": AccountID, "accountId": AccountID, "userId": "AIDAEXAMPLE",
			"arn": "arn:aws:iam::" + AccountID + ":user/example",
		},
		"aws:index/getRegion:getRegion": {
			"id": region, "name": region, "endpoint": "ec2." + region + ".amazonaws.com", "description": region,
		},
		"aws:index/getPartition:getPartition": {
			"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws",
		},
		"aws:lb/getHostedZoneId:getHostedZoneId": {"id": "ZEXAMPLE" + strings.ToUpper(region)},
		// The provider does not mark the password as secret: that is the program's business.
		"aws:ecr/getAuthorizationToken:getAuthorizationToken": {
			"id": region, "userName": "AWS", "password": "registry-token", "expiresAt": "2030-01-01T00:00:00Z",
			"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:registry-token")),
			"proxyEndpoint":      "https://" + registryHost(region),
		},
	}
	answer, known = answers[token]
	return answer, known
}

// awsOutputs returns what AWS makes itself when it creates a resource, as far as programs read it.
func awsOutputs(args pulumi.MockResourceArgs, region string) resource.PropertyMap {
	service, kind := awsKind(args.TypeToken)
	name := args.Name
	for _, key := range []resource.PropertyKey{"name", "bucket"} {
		if args.Inputs[key].IsString() {
			name = args.Inputs[key].StringValue()
		}
	}
	made := map[string]any{
		"name": name,
		"arn":  fmt.Sprintf("arn:aws:%s:%s:%s:%s/%s", service, region, AccountID, kind, name),
	}
	switch args.TypeToken {
	case "aws:s3/bucketV2:BucketV2":
		made["arn"], made["bucket"], made["region"] = "arn:aws:s3:::"+name, name, region
		made["bucketRegionalDomainName"] = name + ".s3." + region + ".amazonaws.com"
	case "aws:ecr/repository:Repository":
		made["registryId"], made["repositoryUrl"] = AccountID, registryHost(region)+"/"+name
	case "aws:eks/cluster:Cluster":
		made["endpoint"] = "https://" + name + "." + region + ".eks.amazonaws.com"
		made["certificateAuthority"] = map[string]any{"data": base64.StdEncoding.EncodeToString([]byte(name))}
	case "aws:acm/certificate:Certificate":
		made["domainValidationOptions"] = validationOptions(args.Inputs)
	case "aws:route53/record:Record":
		made["fqdn"] = name
	case "aws:route53/zone:Zone":
		made["zoneId"] = args.Name + "-id"
	case "aws:kms/key:Key":
		made["keyId"] = args.Name + "-id"
	}
	return resource.NewPropertyMapFromMap(made)
}

// validationOptions has a record for each name of a certificate, in another order than that of the request.
func validationOptions(certificate resource.PropertyMap) []any {
	names := []string{}
	if alternatives := certificate["subjectAlternativeNames"]; alternatives.IsArray() {
		for _, alternative := range alternatives.ArrayValue() {
			names = append(names, alternative.StringValue())
		}
	}
	var options []any
	for _, name := range append(names, certificate["domainName"].StringValue()) {
		options = append(options, map[string]any{
			"domainName": name, "resourceRecordName": "_validation." + name,
			"resourceRecordType": "CNAME", "resourceRecordValue": "_" + name + ".acm-validations.aws",
		})
	}
	return options
}

// awsKind splits a type token such as aws:s3/bucketV2:BucketV2 into the service, s3, and the kind, bucketV2.
func awsKind(typeToken string) (service, kind string) {
	_, rest, _ := strings.Cut(typeToken, ":")
	module, _, _ := strings.Cut(rest, ":")
	service, kind, _ = strings.Cut(module, "/")
	return service, kind
}

func registryHost(region string) string { return AccountID + ".dkr.ecr." + region + ".amazonaws.com" }
