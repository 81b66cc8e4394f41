package stacks

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"agentstack/internal/pulumitest"
)

// excuse says why findings of kube-score stay.
type excuse struct {
	// Findings have the form "check: comment", in the words of kube-score.
	Findings []string `json:"findings"`
	// Objects have the form "Kind name", with the wildcards of path.Match.
	Objects []string `json:"objects"`
	Reason  string   `json:"reason"`
}

// TestKubeScore lets a judge that knows nothing of this program score all objects of all stacks. What it finds is
// excused in testdata/kube-score.yaml, and nowhere else: kube-score ignores the annotations by which objects opt out.
func TestKubeScore(t *testing.T) {
	content, err := os.ReadFile("testdata/kube-score.yaml")
	if err != nil {
		t.Fatalf("read excuses: %v", err)
	}
	var excuses []excuse
	if err := yaml.UnmarshalStrict(content, &excuses); err != nil {
		t.Fatalf("parse excuses: %v", err)
	}
	found := map[finding][]string{}
	for _, stack := range environments {
		for region, objects := range manifests(pulumitest.Up(t, Deploy, stackConfig(t, stack))) {
			for finding, details := range kubeScore(t, objects) {
				for _, detail := range details {
					found[finding] = append(found[finding], stack+" "+region+": "+detail)
				}
			}
		}
	}
	if len(found) == 0 {
		t.Error("kube-score found nothing, not even what is excused")
	}
	for _, problem := range compare(found, excuses) {
		t.Error(problem)
	}
}

// compare returns the findings without an excuse, and the excuses without a finding.
func compare(found map[finding][]string, excuses []excuse) []string {
	var problems []string
	excused := map[finding]bool{}
	use := func(pattern, says string) (used bool) {
		for candidate := range found {
			// A pattern that is malformed matches nothing, so that it is reported as unused.
			if matches, err := path.Match(pattern, candidate.object); err == nil && matches && candidate.says == says {
				excused[candidate], used = true, true
			}
		}
		return used
	}
	for _, excuse := range excuses {
		if excuse.Reason == "" {
			problems = append(problems, fmt.Sprintf("the excuse of %q has no reason", excuse.Findings))
		}
		for _, says := range excuse.Findings {
			for _, pattern := range excuse.Objects {
				if !use(pattern, says) {
					problems = append(problems, fmt.Sprintf("%s: %s: is excused and no longer found", pattern, says))
				}
			}
		}
	}
	for finding, details := range found {
		if !excused[finding] {
			slices.Sort(details)
			advice := strings.Join(slices.Compact(details), "\n\t")
			problems = append(problems, finding.object+": "+finding.says+"\n\t"+advice)
		}
	}
	slices.Sort(problems)
	return problems
}

func TestCompareWithExcuses(t *testing.T) {
	found := func(objects ...string) map[finding][]string {
		all := map[finding][]string{}
		for _, object := range objects {
			all[finding{object, "check: comment"}] = []string{"production: advice"}
		}
		return all
	}
	excused := func(objects ...string) []excuse {
		return []excuse{{Findings: []string{"check: comment"}, Objects: objects, Reason: "because"}}
	}
	tests := map[string]struct {
		found   map[finding][]string
		excuses []excuse
		want    []string
	}{
		"excused":    {found("Job a"), excused("Job a"), nil},
		"by pattern": {found("Job a", "Job b"), excused("Job *"), nil},
		"new": {
			found("Job a", "Job b"), excused("Job a"),
			[]string{"Job b: check: comment\n\tproduction: advice"},
		},
		"stale": {
			found("Job a"), excused("Job a", "Job b"),
			[]string{"Job b: check: comment: is excused and no longer found"},
		},
		"another check": {
			found(), []excuse{{Findings: []string{"other: comment"}, Objects: []string{"*"}, Reason: "because"}},
			[]string{"*: other: comment: is excused and no longer found"},
		},
		"no reason": {
			found("Job a"), []excuse{{Findings: []string{"check: comment"}, Objects: []string{"*"}}},
			[]string{`the excuse of ["check: comment"] has no reason`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := compare(test.found, test.excuses); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestScratchVolumesAreLimited is what the excuse of ephemeral storage relies on.
func TestScratchVolumesAreLimited(t *testing.T) {
	forEachStack(t, func(t *testing.T, recording *pulumitest.Recording) {
		limited := 0
		for _, resource := range recording.Resources {
			volumes, _ := resource.At("spec", "template", "spec", "volumes").([]any)
			ofJobs, _ := resource.At("spec", "jobTemplate", "spec", "template", "spec", "volumes").([]any)
			for _, volume := range append(volumes, ofJobs...) {
				volume, _ := volume.(map[string]any)
				scratch, isScratch := volume["emptyDir"].(map[string]any)
				if isScratch && scratch["sizeLimit"] == nil {
					t.Errorf("volume %s of %s %s has no limit", volume["name"], resource.Type, resource.Name)
				}
				if isScratch {
					limited++
				}
			}
		}
		if limited == 0 {
			t.Error("no scratch volume found")
		}
	})
}
