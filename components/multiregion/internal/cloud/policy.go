package cloud

import (
	"encoding/json"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Statement is a statement of an IAM policy.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type Statement struct {
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    []string
	Resource  []string  `json:",omitempty"`
	Condition Condition `json:",omitempty"`
}

// Condition maps an operator, such as StringEquals, to keys and their allowed values.
type Condition map[string]map[string]string

// AnyResource is for actions that AWS does not let restrict to resources.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
const AnyResource = "*"

// Allow returns a statement that allows actions on resources.
func Allow(actions, resources []string) Statement {
	return Statement{Effect: "Allow", Action: actions, Resource: resources}
}

// When returns the statement with a condition.
func (s Statement) When(condition Condition) Statement {
	s.Condition = condition
	return s
}

// Trust returns the statement that lets a service of AWS, such as eks.amazonaws.com, assume a role.
func Trust(service string, condition Condition) Statement {
	return Statement{
		Effect:    "Allow",
		Principal: map[string]string{"Service": service},
		Action:    []string{"sts:AssumeRole"},
		Condition: condition,
	}
}

// Policy returns the JSON form of a policy document.
func Policy(statements ...Statement) pulumi.String {
	document := struct {
		Version   string
		Statement []Statement
	}{"2012-10-17", statements}
	encoded, err := json.Marshal(document)
	if err != nil {
		panic(err) // Strings, lists and maps of them have a JSON form.
	}
	return pulumi.String(encoded)
}
