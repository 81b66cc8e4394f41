package kube_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/internal/kube"
)

func TestResourcesValidate(t *testing.T) {
	list := func(cpu, memory string) kube.ResourceList { return kube.ResourceList{CPU: cpu, Memory: memory} }
	tests := map[string]struct {
		resources kube.Resources
		want      []string
	}{
		"complete":             {kube.Resources{Requests: list("100m", "64Mi"), Limits: list("1", "1Gi")}, nil},
		"without CPU limit":    {kube.Resources{Requests: list("100m", "64Mi"), Limits: list("", "1Gi")}, nil},
		"request equals limit": {kube.Resources{Requests: list("1", "1Gi"), Limits: list("1000m", "1024Mi")}, nil},
		"nothing": {
			kube.Resources{},
			[]string{
				"r.requests.cpu: Required",
				"r.requests.memory: Required",
				"r.limits.memory: Required",
			},
		},
		"not a quantity": {
			kube.Resources{Requests: list("1 core", "64Mi"), Limits: list("", "1GB5")},
			[]string{
				`r.requests.cpu: Invalid value: "1 core"`,
				`r.limits.memory: Invalid value: "1GB5"`,
			},
		},
		"zero": {
			kube.Resources{Requests: list("0", "64Mi"), Limits: list("", "1Gi")},
			[]string{
				`r.requests.cpu: Invalid value: "0": must be more than zero`,
			},
		},
		"bad CPU limit": {
			kube.Resources{Requests: list("1", "64Mi"), Limits: list("-1", "1Gi")},
			[]string{
				`r.limits.cpu: Invalid value: "-1"`,
			},
		},
		"requests above limits": {
			kube.Resources{Requests: list("2", "2Gi"), Limits: list("1", "1Gi")},
			[]string{
				`r.requests.memory: Invalid value: "2Gi": must be at most the limit of 1Gi`,
				`r.requests.cpu: Invalid value: "2": must be at most the limit of 1`,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			problems := test.resources.Validate(field.NewPath("r"))
			if len(problems) != len(test.want) {
				t.Fatalf("problems = %v, want %d", problems, len(test.want))
			}
			for i, want := range test.want {
				if got := problems[i].Error(); !strings.HasPrefix(got, want) {
					t.Errorf("problem %d = %q, want %q", i, got, want)
				}
			}
		})
	}
}

func TestResourcesDefault(t *testing.T) {
	fallback := kube.Resources{Limits: kube.ResourceList{Memory: "1Gi"}}
	given := kube.Resources{Limits: kube.ResourceList{Memory: "2Gi"}}
	if got := given.Default(fallback); got != given {
		t.Errorf("given resources became %v", got)
	}
	if got := (kube.Resources{}).Default(fallback); got != fallback {
		t.Errorf("empty resources became %v, want the fallback", got)
	}
}

func TestMergeDoesNotChangeItsArguments(t *testing.T) {
	first, second := map[string]string{"a": "1", "b": "1"}, map[string]string{"b": "2"}
	merged := kube.Merge(first, second)
	if merged["a"] != "1" || merged["b"] != "2" || first["b"] != "1" {
		t.Errorf("merged = %v, first = %v", merged, first)
	}
}

func TestSelectorIsPartOfLabels(t *testing.T) {
	labels := kube.Labels("api", "web", "r1")
	for key, value := range kube.Selector("api") {
		if labels[key] != value {
			t.Errorf("label %s = %q, the selector wants %q", key, labels[key], value)
		}
	}
}
