package catalog

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Account is the account of the simulation, the one of AWS's own examples.
const Account = "123456789012"

// Created is when everything in the simulation was made.
const Created = "2026-01-01T00:00:00Z"

// Resource is one simulated resource. What AWS would choose at random follows from its URN and its first inputs.
type Resource struct {
	// ID is the provider's ID.
	ID string
	// URN is the engine's name of the resource.
	URN resource.URN
	// Region is the region of its provider.
	Region string
	// Inputs have no secret marks; see property.OpenedMap.
	Inputs resource.PropertyMap
}

// Expand fills a template in: ${id}, ${region}, ${account}, ${partition}, ${created}, ${hex:seed} (17 digits),
// ${long:seed} (32 digits, upper case), ${uuid:seed}, ${word:seed} (21 letters and digits, upper case), ${number:seed}
// (10 digits), ${ip:seed}, ${base64:seed}, or the name of an input.
func (r *Resource) Expand(template any) any {
	switch value := template.(type) {
	case string:
		return os.Expand(value, r.variable)
	case func(*Resource) any:
		return value(r)
	case []any:
		list := make([]any, len(value))
		for i, element := range value {
			list[i] = r.Expand(element)
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for key, element := range value {
			object[key] = r.Expand(element)
		}
		return object
	}
	return template
}

func (r *Resource) variable(name string) string {
	switch name {
	case "id":
		return r.ID
	case "region":
		return r.Region
	case "account":
		return Account
	case "partition":
		return Partition(r.Region)
	case "created":
		return Created
	case "$":
		return name
	}
	if kind, seed, ok := strings.Cut(name, ":"); ok {
		return r.random(kind, seed)
	}
	return r.Text(name)
}

// Text is an input as text, empty if there is none.
func (r *Resource) Text(name string) string {
	value := r.Inputs[resource.PropertyKey(name)]
	if value.IsNull() {
		return ""
	}
	return fmt.Sprint(value.V)
}

func (r *Resource) random(kind, seed string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%v", r.URN, r.Region, seed, r.Inputs.Mappable()))
	digits := hex.EncodeToString(sum[:])
	switch kind {
	case "hex":
		return digits[:17]
	case "long":
		return strings.ToUpper(digits[:32])
	case "uuid":
		return strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]}, "-")
	case "word":
		return strings.ToUpper(new(big.Int).SetBytes(sum[:]).Text(36)[:21])
	case "number":
		return fmt.Sprintf("%010d", binary.BigEndian.Uint64(sum[:])%1e10)
	case "ip":
		return fmt.Sprintf("203.0.113.%d", sum[0])
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(seed))
	}
	panic("unknown kind of random text in a template: " + kind)
}

// Partition is the part of AWS that a region belongs to.
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// arn is the template of a name in the resource's region and the account.
func arn(service, name string) string {
	return "arn:${partition}:" + service + ":${region}:${account}:" + name
}

// globalARN is the template of a name in the account, without a region.
func globalARN(service, name string) string {
	return "arn:${partition}:" + service + "::${account}:" + name
}
