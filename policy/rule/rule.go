// Package rule defines what a policy of the pack is made of: a rule, the resources that it judges and the values
// in them, some of which nobody knows yet in a preview.
package rule

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi/policyx"

// Rule is one policy. It judges single resources or the whole stack: exactly one of Resource and Stack is set.
//
// Unknown values pass. The engine asks again during the update, when they are known.
type Rule struct {
	// Name in kebab case, unique in the pack.
	Name string
	// Description says what is demanded and why, with a link where it is a standard.
	Description string
	// Level is mandatory or advisory, and always written down: the zero value would be advisory.
	Level Level
	// Resource judges the inputs of one resource.
	Resource func(Resource, Report)
	// Stack judges the inputs of all resources together.
	Stack func(Stack, Report)
}

// Level says what a violation leads to.
type Level int

// Levels of enforcement. The zero Level is none of them.
const (
	// Mandatory stops the preview or update.
	Mandatory Level = iota + 1
	// Advisory is only shown.
	Advisory
)

// Policyx is the level as the SDK names it.
func (l Level) Policyx() policyx.EnforcementLevel {
	if l == Advisory {
		return policyx.EnforcementLevelAdvisory
	}
	return policyx.EnforcementLevelMandatory
}

// Report tells of a violation: where it is, what is wrong, and what to do.
type Report func(at Value, format string, args ...any)

// Stack is everything that a program registers.
type Stack struct {
	Environment Environment
	Resources   []Resource
}

// Of returns the resources of the given kinds.
func (s Stack) Of(kinds ...string) []Resource {
	var found []Resource
	for _, resource := range s.Resources {
		if resource.IsA(kinds...) {
			found = append(found, resource)
		}
	}
	return found
}

// Environment is what the stack is for: local, staging, production or a name of one's own.
type Environment string

// Production reports whether users depend on the stack.
func (e Environment) Production() bool { return e == "production" }

// Shared reports whether the stack is more than one developer's machine.
func (e Environment) Shared() bool { return e != "local" }
