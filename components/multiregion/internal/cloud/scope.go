// Package cloud holds what the components on AWS share: tags, names of resources and policy documents.
package cloud

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Scope says what a resource belongs to.
type Scope struct {
	// Environment of the stack, such as production.
	Environment string
	// Region of AWS, such as us-east-1.
	Region string
}

// Tags returns the tags of a resource: those that all resources of the scope have, and the given ones.
func (s Scope) Tags(more map[string]string) pulumi.StringMap {
	tags := pulumi.StringMap{
		"Project":     pulumi.String("agentstack"),
		"Environment": pulumi.String(s.Environment),
		"Region":      pulumi.String(s.Region),
		"ManagedBy":   pulumi.String("pulumi"),
	}
	for key, value := range more {
		tags[key] = pulumi.String(value)
	}
	return tags
}

// Named is Tags for resources that the console lists by their tag Name.
func (s Scope) Named(name string) pulumi.StringMap {
	return s.Tags(map[string]string{"Name": name})
}

// ARN returns the name of a resource of AWS. Parts that a service leaves out, such as the region and the account of an
// S3 bucket, are empty. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func (s Scope) ARN(service, region, account, resource string) string {
	return strings.Join([]string{"arn", s.partition(), service, region, account, resource}, ":")
}

// BucketARN returns the name of an S3 bucket, or of the objects in it that match a path.
func (s Scope) BucketARN(path string) string { return s.ARN("s3", "", "", path) }

// ManagedPolicy returns the name of a policy that AWS maintains.
func (s Scope) ManagedPolicy(name string) string { return s.ARN("iam", "", "aws", "policy/"+name) }

func (s Scope) partition() string {
	switch {
	case strings.HasPrefix(s.Region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(s.Region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
