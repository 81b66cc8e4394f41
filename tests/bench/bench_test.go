package main

import (
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	// rows has 100 resources a region. A resource costs 1 ms, those in the last row more by growth, and the program as
	// much more than the flat one as ratio says.
	rows := func(ratio, growth float64) []row {
		var all []row
		for i, regions := range regionCounts {
			resources := 100 * regions
			used := time.Duration(resources) * time.Millisecond
			if i == len(regionCounts)-1 {
				used = time.Duration(float64(used) * growth)
			}
			dear := time.Duration(float64(used) * ratio)
			all = append(all, row{
				regions: regions, resources: resources,
				components: cost{Wall: dear, CPU: dear}, flatted: cost{Wall: used, CPU: used},
			})
		}
		return all
	}
	tests := map[string]struct {
		rows []row
		want []string // parts of the error; none: accepted
	}{
		"equal":          {rows(1, 1), nil},
		"at the limit":   {rows(1.2, 1), nil},
		"too dear":       {rows(1.3, 1), []string{"wall time is 1.30 times", "10 regions:"}},
		"growing faster": {rows(1, 1.2), []string{"growth is worse than linear"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := judge(test.rows)
			if (err == nil) != (test.want == nil) {
				t.Errorf("error = %v", err)
			}
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error = %v, want it to contain %q", err, want)
				}
			}
		})
	}
}

func TestWithRegions(t *testing.T) {
	config, err := withRegions("../../Pulumi.production.yaml", 10)
	if err != nil {
		t.Fatal(err)
	}
	object, _ := config[configKey].(map[string]any)
	regions, _ := object["regions"].([]any)
	networks := map[any]bool{}
	for _, region := range regions {
		values, _ := region.(map[string]any)
		cluster, _ := values["eks"].(map[string]any)
		networks[cluster["cidr"]] = true
	}
	if len(regions) != 10 || len(networks) != 10 || networks[nil] {
		t.Errorf("%d regions with the networks %v", len(regions), networks)
	}
}
