package kube

import (
	"net/url"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Keys of the Secret that ObjectStore.SecretName names.
const (
	KeyAccessKeyID     = "access-key-id"
	KeySecretAccessKey = "secret-access-key"
)

// ObjectStore is a bucket of an S3-compatible store as the pods of one region see it.
type ObjectStore struct {
	// Endpoint is the URL of the store. Empty: that of AWS for Region.
	Endpoint string
	// Region of the bucket, such as us-east-1. Required.
	Region string
	// Bucket is its name. Required.
	Bucket string
	// SecretName is a Secret of the pods' namespace with the keys KeyAccessKeyID and KeySecretAccessKey. Nil: the
	// pods have an identity in the cloud themselves.
	SecretName pulumi.StringInput
}

// Validate reports every problem of the store, each led by the path of its field below path.
func (s ObjectStore) Validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	if s.Bucket == "" {
		problems = append(problems, field.Required(path.Child("bucket"), "give the name of the bucket"))
	}
	if s.Region == "" {
		problems = append(problems, field.Required(path.Child("region"), "give the region of the bucket"))
	}
	if s.Endpoint == "" {
		return problems
	}
	parsed, err := url.Parse(s.Endpoint)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		problems = append(problems, field.Invalid(path.Child("endpoint"), s.Endpoint,
			"give an absolute URL, such as https://s3.example.com"))
	}
	return problems
}
