// Package iam judges who may do what in AWS.
package iam

import (
	"regexp"
	"slices"

	"agentstack/policy/rule"
)

const leastPrivilege = " https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege"

// Rules of this concern.
var Rules = []rule.Rule{{
	Name: "iam-no-wildcard-actions",
	Description: "Policies list actions: a whole service, or all of them, also stands for the actions of tomorrow." +
		leastPrivilege,
	Level:    rule.Mandatory,
	Resource: statements(granting, wildcardActions),
}, {
	Name: "iam-no-wildcard-resources",
	Description: "Actions that change something name what they change, or have a condition, unless AWS knows no " +
		"resource for them." + leastPrivilege,
	Level:    rule.Mandatory,
	Resource: statements(granting, wildcardResources),
}, {
	Name: "iam-no-public-principal",
	Description: "Policies of resources and roles grant nothing to everyone without a condition. " +
		"https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
	Level:    rule.Mandatory,
	Resource: statements(trusting, publicPrincipal),
}, {
	Name: "iam-no-users",
	Description: "No users and no long-lived access keys: people come by federation, programs by roles. " +
		"https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#bp-workloads-use-roles",
	Level:    rule.Mandatory,
	Resource: noUsers,
}}

// granting are the inputs with policies that say what an identity may do, by kind.
var granting = map[string][]string{
	"aws:iam/Policy":      {"policy"},
	"aws:iam/RolePolicy":  {"policy"},
	"aws:iam/UserPolicy":  {"policy"},
	"aws:iam/GroupPolicy": {"policy"},
}

// trusting are the inputs with policies that say who may do something, by kind.
var trusting = map[string][]string{
	"aws:iam/Role":             {"assumeRolePolicy"},
	"aws:s3/BucketPolicy":      {"policy"},
	"aws:ecr/RepositoryPolicy": {"policy"},
	"aws:ecr/RegistryPolicy":   {"policy"},
	"aws:kms/Key":              {"policy"},
	"aws:kms/KeyPolicy":        {"policy"},
	"aws:sqs/QueuePolicy":      {"policy"},
	"aws:sns/TopicPolicy":      {"policy"},
}

// withoutResource are actions that change something and for which AWS knows no resource, or none before they are done.
// https://docs.aws.amazon.com/service-authorization/latest/reference/
var withoutResource = []string{
	"ecr:GetAuthorizationToken",
	"elasticloadbalancing:SetWebAcl",
	"shield:CreateProtection",
	"shield:DeleteProtection",
	"sts:GetCallerIdentity",
}

// reading matches actions that change nothing.
var reading = regexp.MustCompile(`^[a-z0-9-]+:(Get|List|Describe|Head|BatchGet|BatchCheck|Lookup|Search|Query|View)`)

// wholeService matches actions that stand for all of one service or of all services.
var wholeService = regexp.MustCompile(`^(\*|[a-z0-9-]+:\*)$`)

// statements makes a check of a resource out of one for each statement that allows something in its policies.
func statements(inputs map[string][]string, check func(rule.Value, rule.Report)) func(rule.Resource, rule.Report) {
	return func(resource rule.Resource, report rule.Report) {
		documents := []rule.Value{}
		for _, input := range inputs[resource.Kind()] {
			documents = append(documents, resource.At(input))
		}
		if _, grants := inputs["aws:iam/RolePolicy"]; grants && resource.IsA("aws:iam/Role") {
			for _, inline := range resource.At("inlinePolicies").Items() {
				documents = append(documents, inline.At("policy"))
			}
		}
		for _, document := range documents {
			for _, statement := range document.JSON().At("Statement").Items() {
				if statement.At("Effect").Is("Allow") {
					check(statement, report)
				}
			}
		}
	}
}

func wildcardActions(statement rule.Value, report rule.Report) {
	for _, action := range statement.At("Action").Items() {
		if wholeService.MatchString(action.Text()) {
			report(action, "allows %q: list the actions", action.Text())
		}
	}
	if at := statement.At("NotAction"); !at.Empty() && !at.Unknown() {
		report(at, "allows every other action: list the actions under Action")
	}
}

func wildcardResources(statement rule.Value, report rule.Report) {
	if !statement.At("Condition").Empty() {
		return
	}
	if at := statement.At("NotResource"); !at.Empty() && !at.Unknown() {
		report(at, "stands for every other resource: list the resources under Resource")
	}
	for _, at := range statement.At("Resource").Items() {
		if !at.Is("*") {
			continue
		}
		for _, action := range statement.At("Action").Items() {
			name := action.Text()
			if name != "" && !reading.MatchString(name) && !slices.Contains(withoutResource, name) {
				report(at, "allows %s on everything: give the ARN, or a condition", name)
			}
		}
	}
}

func publicPrincipal(statement rule.Value, report rule.Report) {
	if !statement.At("Condition").Empty() {
		return
	}
	principal := statement.At("Principal")
	for _, at := range append(principal.Items(), principal.At("AWS").Items()...) {
		if at.Is("*") {
			report(at, "is everyone: name the account, role or service, or add a condition")
		}
	}
}

func noUsers(resource rule.Resource, report rule.Report) {
	if resource.IsA("aws:iam/User", "aws:iam/AccessKey", "aws:iam/UserLoginProfile") {
		report(resource.At("name"), "is a long-lived identity: use a role")
	}
}
