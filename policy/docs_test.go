package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/policies.md instead of comparing with them")

const document = "../docs/policies.md"

// source is the link at the end of a description.
var source = regexp.MustCompile(` (https://\S+)$`)

func TestDocumentListsThePolicies(t *testing.T) {
	var policies strings.Builder
	policies.WriteString("| Policy | Level | What, and why |\n|---|---|---|\n")
	for _, policy := range startPack(t).policies(t) {
		description := source.ReplaceAllString(policy.GetDescription(), " ([source]($1))")
		level := strings.ToLower(policy.GetEnforcementLevel().String())
		fmt.Fprintf(&policies, "| `%s` | %s | %s |\n", policy.GetName(), level, description)
	}
	var granted strings.Builder
	granted.WriteString("| Object | Policies | Reason |\n|---|---|---|\n")
	for _, e := range exceptions {
		fmt.Fprintf(&granted, "| `%s` | `%s` | %s |\n", strings.TrimPrefix(e.namespace+"/"+e.name, "/"),
			strings.Join(e.rules, "`, `"), e.reason)
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	current := between(t, between(t, string(text), "policies", policies.String()), "exceptions", granted.String())
	if *update {
		if err := os.WriteFile(document, []byte(current), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if current != string(text) {
		t.Errorf("the tables of %s are out of date: run `go test ./policy -update` and review the diff", document)
	}
}

// between replaces what stands between the comments that begin and end a section.
func between(t *testing.T, text, section, with string) string {
	t.Helper()
	begin, end := "<!-- "+section+": generated -->\n", "<!-- end of "+section+" -->"
	before, rest, found := strings.Cut(text, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("no comments %q and %q", begin, end)
	}
	return before + begin + with + end + after
}
