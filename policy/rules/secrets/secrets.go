// Package secrets judges that passwords and keys are nowhere in plain sight.
package secrets

import (
	"regexp"
	"strings"

	"agentstack/policy/rule"
	"agentstack/policy/workload"
)

// Rules of this concern.
var Rules = []rule.Rule{{
	Name: "secret-env",
	Description: "Environment variables with the name of a secret come from a Secret: who may read the pod's spec " +
		"may not read its secrets. https://kubernetes.io/docs/concepts/security/secrets-good-practices/",
	Level:    rule.Mandatory,
	Resource: workload.Judges(env),
}, {
	Name: "secret-in-plain-text",
	Description: "No private key, AWS key, bearer token or URL with a password stands in a ConfigMap, or in an " +
		"environment variable, command or argument of a container. " +
		"https://kubernetes.io/docs/concepts/security/secrets-good-practices/",
	Level:    rule.Mandatory,
	Resource: plainText,
}, {
	Name: "secret-marked",
	Description: "What goes into a Secret is a secret of Pulumi too: otherwise it is in plain text in the state. " +
		"https://www.pulumi.com/docs/iac/concepts/secrets/",
	Level:    rule.Mandatory,
	Resource: marked,
}}

// secretName is the name of a variable that ends in a word for a secret, or is AWS_ACCESS_KEY_ID.
var secretName = regexp.MustCompile(`(?i)(^|_|-)` +
	`(password|passwd|passphrase|token|secret|key|apikey|credentials?|auth|access_key_id)$`)

// Patterns of secrets, by what they are.
var patterns = map[string]*regexp.Regexp{
	"a private key":     regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`),
	"an AWS access key": regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b`),
	"a bearer token":    regexp.MustCompile(`(?i)\bbearer +[a-z0-9_\-.~+/]{16,}=*`),
	"an API key": regexp.MustCompile(
		`\b(sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{36,}|xox[abprs]-[A-Za-z0-9-]{10,})`),
	"a URL with a password": regexp.MustCompile(`[a-z][a-z0-9+.-]*://[^/\s:@$<{]*:[^/\s@$<{%]+@`),
}

func env(_ workload.Workload, container workload.Container, report rule.Report) {
	for _, variable := range container.At("env").Items() {
		name, value := variable.At("name").Text(), variable.At("value")
		if secretName.MatchString(name) && value.Text() != "" {
			report(value, "%s is written out: take it from a Secret by valueFrom.secretKeyRef", name)
		}
		if reference := variable.At("valueFrom.configMapKeyRef"); secretName.MatchString(name) &&
			!reference.Missing() && !reference.Unknown() {
			report(reference, "%s comes from a ConfigMap: take it from a Secret by valueFrom.secretKeyRef", name)
		}
	}
}

func plainText(resource rule.Resource, report rule.Report) {
	if resource.IsA("core/ConfigMap") {
		for _, value := range resource.At("data").Fields() {
			search(value, report)
		}
	}
	w, found := workload.Of(resource)
	if !found {
		return
	}
	for _, container := range w.Containers() {
		for _, variable := range container.At("env").Items() {
			search(variable.At("value"), report)
		}
		for _, field := range []string{"command", "args"} {
			for _, argument := range container.At(field).Items() {
				search(argument, report)
			}
		}
	}
}

// search never shows what it finds: messages end up in logs.
func search(value rule.Value, report rule.Report) {
	for what, pattern := range patterns {
		if pattern.MatchString(value.Text()) {
			report(value, "holds %s: put it into a Secret", what)
		}
	}
}

func marked(resource rule.Resource, report rule.Report) {
	if !resource.IsA("core/Secret") {
		return
	}
	for _, field := range []string{"data", "stringData"} {
		for _, value := range resource.At(field).Fields() {
			if value.Unknown() || value.Secret() || strings.TrimSpace(value.Text()) == "" {
				continue
			}
			report(value, "is no secret of Pulumi: pass it through pulumi.ToSecret, or read it with RequireSecret")
		}
	}
}
