package main

import (
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// example is a stack, and what a rule says about it.
type example struct {
	rule, name string
	// environment of the stack. Default staging.
	environment string
	objects     []object
	// wants are parts of the messages, one for each violation. None: the rule passes.
	wants []string
}

var examples = slices.Concat(podExamples, tokenExamples, imageExamples, availabilityExamples, networkExamples,
	secretExamples, routeExamples, rbacExamples, databaseExamples, regionExamples, s3Examples, iamExamples, awsExamples,
	exceptionExamples)

func TestRules(t *testing.T) {
	running := startPack(t)
	for _, e := range examples {
		t.Run(e.rule+"/"+e.name, func(t *testing.T) {
			found := running.judge(t, e)
			if len(found) != len(e.wants) {
				t.Fatalf("%d violations, want %d:\n%s", len(found), len(e.wants), messages(found))
			}
			for _, want := range e.wants {
				if !slices.ContainsFunc(found, func(d *pulumirpc.AnalyzeDiagnostic) bool {
					return strings.Contains(d.GetMessage(), want) && isOf(d, e.objects)
				}) {
					t.Errorf("no violation with %q:\n%s", want, messages(found))
				}
			}
		})
	}
}

// isOf reports whether the violation names one of the objects, by URN and in its message.
func isOf(d *pulumirpc.AnalyzeDiagnostic, objects []object) bool {
	return slices.ContainsFunc(objects, func(o object) bool {
		return d.GetUrn() == o.urn() && strings.Contains(d.GetMessage(), o.name)
	})
}

func messages(found []*pulumirpc.AnalyzeDiagnostic) string {
	var lines []string
	for _, d := range found {
		lines = append(lines, d.GetMessage())
	}
	return strings.Join(lines, "\n")
}

func TestEveryRulePassesAndFails(t *testing.T) {
	for _, policy := range startPack(t).policies(t) {
		passes, fails := false, false
		for _, e := range examples {
			passes = passes || e.rule == policy.GetName() && len(e.wants) == 0
			fails = fails || e.rule == policy.GetName() && len(e.wants) > 0
		}
		if !passes || !fails {
			t.Errorf("%s: has a passing example: %t, a failing one: %t", policy.GetName(), passes, fails)
		}
	}
}

func TestEveryRuleIsWhole(t *testing.T) {
	names := map[string]bool{}
	for _, rule := range allRules {
		if rule.Level == 0 {
			t.Errorf("%s: no level: it would be advisory by omission", rule.Name)
		}
		if rule.Description == "" || names[rule.Name] || (rule.Resource == nil) == (rule.Stack == nil) {
			t.Errorf("%q: needs a name of its own, a description and one check", rule.Name)
		}
		names[rule.Name] = true
	}
	if len(names) < 25 {
		t.Errorf("only %d rules", len(names))
	}
}

// advisory are the rules that only advise. The others stop an update.
var advisory = []string{"eks-public-endpoint", "image-digest"}

func TestLevelsReachTheEngine(t *testing.T) {
	for _, policy := range startPack(t).policies(t) {
		want := pulumirpc.EnforcementLevel_MANDATORY
		if slices.Contains(advisory, policy.GetName()) {
			want = pulumirpc.EnforcementLevel_ADVISORY
		}
		if policy.GetEnforcementLevel() != want {
			t.Errorf("%s: level %s, want %s", policy.GetName(), policy.GetEnforcementLevel(), want)
		}
	}
}

// TestUnknownValuesPass makes every value of every passing example unknown, one at a time, and of the others to see
// that no rule stumbles. Exceptions are left out: they are granted only to names that are known.
func TestUnknownValuesPass(t *testing.T) {
	running := startPack(t)
	for _, e := range examples {
		if slices.ContainsFunc(exceptionExamples, func(other example) bool { return other.name == e.name }) {
			continue
		}
		running.only(t, e)
		for path, changed := range e.mutations(func(resource.PropertyValue) resource.PropertyValue { return unknown }) {
			if found := running.judgeAlone(t, changed); len(e.wants) == 0 && len(found) > 0 {
				t.Errorf("%s/%s with unknown %s:\n%s", e.rule, e.name, path, messages(found))
			}
		}
	}
}

// TestSecretValuesAreJudged makes every value of every example a secret of Pulumi, one at a time.
func TestSecretValuesAreJudged(t *testing.T) {
	running := startPack(t)
	for _, e := range examples {
		if e.rule == "secret-marked" {
			continue // The mark is what it judges.
		}
		running.only(t, e)
		for path, changed := range e.mutations(resource.MakeSecret) {
			if found := running.judgeAlone(t, changed); len(found) != len(e.wants) {
				t.Errorf("%s/%s with secret %s: %d violations, want %d:\n%s", e.rule, e.name, path, len(found),
					len(e.wants), messages(found))
			}
		}
	}
}

// mutations returns, for each value in the example's objects, the example with that value changed.
func (e example) mutations(change func(resource.PropertyValue) resource.PropertyValue) iter.Seq2[string, example] {
	return func(yield func(string, example) bool) {
		for index, o := range e.objects {
			for _, path := range paths(resource.NewObjectProperty(o.inputs), nil) {
				root := resource.NewObjectProperty(deepCopy(o.inputs))
				value, _ := path.Get(root)
				if value.IsComputed() || value.IsSecret() || !path.Set(root, change(value)) {
					continue
				}
				changed := e
				changed.objects = slices.Clone(e.objects)
				changed.objects[index].inputs = root.ObjectValue()
				if !yield(o.name+": "+path.String(), changed) {
					return
				}
			}
		}
	}
}
