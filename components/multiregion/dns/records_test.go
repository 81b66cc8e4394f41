package dns

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// line writes a record as: name -> target, and what decides about it.
func line(r record) string {
	target := r.target
	if r.balancer != "" {
		target = "balancer of " + r.balancer
	}
	text := fmt.Sprintf("%s -> %s", r.name, target)
	for _, part := range []string{r.failover, r.latency} {
		if part != "" {
			text += " " + part
		}
	}
	if r.check != "" {
		text += " if " + r.check + " is healthy"
	}
	return text
}

func TestRecords(t *testing.T) {
	tests := map[string]struct {
		routing string
		regions []string
		want    []string
	}{
		"one region": {RoutingFailover, []string{"a"}, []string{
			"a.x.com -> balancer of a",
			"x.com -> a.x.com",
		}},
		"one region, by latency": {RoutingLatency, []string{"a"}, []string{
			"a.x.com -> balancer of a",
			"x.com -> a.x.com",
		}},
		"failover of two": {RoutingFailover, []string{"b", "a"}, []string{
			"b.x.com -> balancer of b",
			"a.x.com -> balancer of a",
			"x.com -> b.x.com PRIMARY if b is healthy",
			"x.com -> standby.x.com SECONDARY",
			"standby.x.com -> a.x.com a if a is healthy",
		}},
		"failover of three": {RoutingFailover, []string{"a", "b", "c"}, []string{
			"a.x.com -> balancer of a",
			"b.x.com -> balancer of b",
			"c.x.com -> balancer of c",
			"x.com -> a.x.com PRIMARY if a is healthy",
			"x.com -> standby.x.com SECONDARY",
			"standby.x.com -> b.x.com b if b is healthy",
			"standby.x.com -> c.x.com c if c is healthy",
		}},
		"latency of two": {RoutingLatency, []string{"a", "b"}, []string{
			"a.x.com -> balancer of a",
			"b.x.com -> balancer of b",
			"x.com -> a.x.com a if a is healthy",
			"x.com -> b.x.com b if b is healthy",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got, roles []string
			for _, record := range records("x.com", test.routing, test.regions) {
				got = append(got, line(record))
				if slices.Contains(roles, record.role) {
					t.Errorf("two records have the role %s", record.role)
				}
				roles = append(roles, record.role)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}
