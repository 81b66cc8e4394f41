// Package catalog is the table of what the simulation knows of AWS: per resource type the inputs that are required or
// cannot change, what the inputs must look like, and what AWS would answer.
package catalog

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Folder is where the table is; it is named to those who miss a type.
const Folder = "local/plugins/aws/catalog"

// Type describes one resource type.
type Type struct {
	// ID is the template of a new resource's ID: a text or a func(*Resource) any; see Resource.Expand.
	ID any
	// AutoName is the input that gets the resource's name and a random suffix where the program gives none, after
	// NamePrefix.
	AutoName, NamePrefix string
	// Required are the inputs without which the official provider refuses the resource.
	Required []string
	// Replaces are the inputs that AWS cannot change in place.
	Replaces []string
	// Rules are what an input must look like, by its name.
	Rules map[string]Rule
	// Whole is what the inputs must be together. It may be nil.
	Whole func(inputs resource.PropertyMap) []Problem
	// Tagged types have tags, and tagsAll among their outputs.
	Tagged bool
	// Outputs are templates of what only AWS knows: texts, or lists and objects of them, or a func(*Resource) any. An
	// output that is also an input is AWS's default for it.
	Outputs map[string]any
	// Counted is the output that grows by one with each update.
	Counted string
}

type table = map[string]Type

// Find returns the type of a token such as aws:ec2/vpc:Vpc.
func Find(token string) (Type, error) {
	for _, service := range services {
		if t, ok := service[token]; ok {
			return t, nil
		}
	}
	return Type{}, fmt.Errorf("the AWS simulation does not know the resource type %s: add it to the table in %s, "+
		"or use the official plugin", token, Folder)
}

var services = []table{acm, cloudwatch, ec2, ecr, eks, iam, kms, network, route53, s3, sns}

// Tokens are all types of the table, in order.
func Tokens() []string {
	var tokens []string
	for _, service := range services {
		tokens = slices.AppendSeq(tokens, maps.Keys(service))
	}
	slices.Sort(tokens)
	return tokens
}

// Check returns everything that is wrong with the inputs. Unknown values are not judged.
func (t Type) Check(inputs resource.PropertyMap) []Problem {
	var problems []Problem
	for _, name := range t.Required {
		if value, ok := inputs[resource.PropertyKey(name)]; !ok || value.IsNull() {
			problems = append(problems, Problem{name, "is required"})
		}
	}
	rules := t.Rules
	if t.Tagged {
		rules = maps.Clone(rules)
		if rules == nil {
			rules = map[string]Rule{}
		}
		rules["tags"] = tags
	}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		value, given := inputs[resource.PropertyKey(name)]
		if !given || unknown(value) {
			continue
		}
		if reason := rules[name](value); reason != "" {
			problems = append(problems, Problem{name, reason})
		}
	}
	if t.Whole != nil {
		problems = append(problems, t.Whole(inputs)...)
	}
	return problems
}

// Problem is one thing that is wrong with an input.
type Problem struct {
	// Property is the input's name.
	Property string
	// Reason says what is wrong and what is allowed.
	Reason string
}
