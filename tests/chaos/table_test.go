//go:build e2e

package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// result is what one run measured: through the API, in PostgreSQL, in Redis.
type result struct {
	outage             [3]time.Duration
	acknowledged, lost [3]int
	failed             int // requests to the API
}

// limits are what must hold in each run, beside that PostgreSQL loses nothing and never has two primaries.
type limits struct {
	// outage of each writer at most. Zero: any.
	outage [3]time.Duration
	// noFailures: no request to the API fails.
	noFailures bool
	// redisCrashes: Redis may lose what it acknowledged in the moment before the crash, and after it.
	redisCrashes bool
}

// table gathers the results of all runs, by fault.
type table struct {
	order []string
	rows  map[string]*row
}

type row struct {
	runs  []result
	holds bool
}

func (t *table) add(fault string, r result, failed bool) {
	if t.rows == nil {
		t.rows = map[string]*row{}
	}
	if t.rows[fault] == nil {
		t.rows[fault] = &row{holds: true}
		t.order = append(t.order, fault)
	}
	of := t.rows[fault]
	of.runs = append(of.runs, r)
	of.holds = of.holds && !failed
}

// String is the table in Markdown. Outages are in seconds, median and worst; sums are of the API, PostgreSQL and Redis.
func (t *table) String() string {
	var text strings.Builder
	text.WriteString("\n| fault | runs | outage of the API, s: median / worst | of PostgreSQL | of Redis " +
		"| failed requests | acknowledged writes: API, PostgreSQL, Redis | lost | holds |\n" +
		"|---|---|---|---|---|---|---|---|---|\n")
	for _, fault := range t.order {
		r := t.rows[fault]
		holds := "yes"
		if !r.holds {
			holds = "**no**"
		}
		fmt.Fprintf(&text, "| %s | %d | %s | %s | %s | %d | %s | %s | %s |\n", fault, len(r.runs),
			r.outage(0), r.outage(1), r.outage(2), r.sum(func(r result) [3]int { return [3]int{r.failed} })[0],
			counts(r.sum(func(r result) [3]int { return r.acknowledged })),
			counts(r.sum(func(r result) [3]int { return r.lost })), holds)
	}
	return text.String()
}

func (r *row) outage(writer int) string {
	var all []float64
	for _, run := range r.runs {
		all = append(all, run.outage[writer].Seconds())
	}
	slices.Sort(all)
	return fmt.Sprintf("%.1f / %.1f", all[len(all)/2], all[len(all)-1])
}

func (r *row) sum(of func(result) [3]int) (sum [3]int) {
	for _, run := range r.runs {
		for i, n := range of(run) {
			sum[i] += n
		}
	}
	return sum
}

func counts(n [3]int) string { return fmt.Sprintf("%d, %d, %d", n[0], n[1], n[2]) }
