package judge

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"agentstack/app/telemetry"
)

// Limits are what a canary has to keep to.
type Limits struct {
	MinRequests  int     // of each side; fewer cannot be judged
	ErrorRatio   float64 // that the canary's may be higher than the stable version's
	LatencyRatio float64 // of the canary's p95 to the stable version's
}

// Verdict is what the judge found.
type Verdict struct {
	Elapsed, Window time.Duration // the first is shorter if nothing could save the canary any more
	Measures        []Measure
	Problems        []string // why the canary is refused

	stable, canary side
}

// OK says that the canary may become the stable version.
func (v Verdict) OK() bool { return len(v.Problems) == 0 }

// conclude finds the problems in the measures and in what is known of the pods.
func (v Verdict) conclude(limits Limits) Verdict {
	if len(v.canary.restarted) > 0 {
		v.problem("the canary restarted: %s", strings.Join(v.canary.restarted, ", "))
	}
	if len(v.canary.silent) > 0 {
		v.problem("the canary does not answer Prometheus: %s", strings.Join(v.canary.silent, ", "))
	}
	for _, m := range v.Measures {
		if m.Result == NotOK {
			v.problem("%s of %s is above the limit of %s", m.Name, m.format(m.Canary.Value), m.format(m.Limit))
		}
	}
	v.judgeable("canary", "CANARY_SELECTOR", v.canary, limits)
	v.judgeable("stable version", "STABLE_SELECTOR", v.stable, limits)
	return v
}

func (v *Verdict) problem(format string, args ...any) {
	v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
}

// judgeable reports why there is too little to judge by.
func (v *Verdict) judgeable(name, selector string, s side, limits Limits) {
	switch {
	case s.missing == telemetry.Info.Name:
		v.problem("cannot judge: Prometheus has no such metric as %s of the %s; does it scrape the pods of %s?",
			s.missing, name, selector)
	case s.missing != "":
		v.problem("cannot judge: the %s has no such metric as %s, not even of probes", name, s.missing)
	case s.pods == 0:
		v.problem("cannot judge: Prometheus reads no pod of the %s any more", name)
	case s.requests.All == 0:
		v.problem("cannot judge: the %s got no traffic", name)
	case math.Round(s.requests.All) < float64(limits.MinRequests):
		v.problem("cannot judge: the %s got %.0f requests, and %d are needed", name, s.requests.All, limits.MinRequests)
	}
}

// hopeless says that the rest of the window cannot save the canary.
func (v Verdict) hopeless(limits Limits) bool {
	if len(v.canary.restarted) > 0 {
		return true
	}
	enough := float64(limits.MinRequests)
	if v.canary.requests.All < enough || v.stable.requests.All < enough {
		return false
	}
	for _, m := range v.Measures {
		if m.hopeless(v.Elapsed.Seconds() / v.Window.Seconds()) {
			return true
		}
	}
	return false
}

// String is for people: the first line says it, a table shows the numbers.
func (v Verdict) String() string {
	var text strings.Builder
	if v.OK() {
		text.WriteString("the canary is good\n")
	} else {
		text.WriteString("the canary is refused: " + strings.Join(v.Problems, "; ") + "\n")
	}
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MEASURE\tSTABLE\tCANARY\tLIMIT\tRESULT")
	for _, m := range v.Measures {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", m.Name, m.cell(m.Stable), m.cell(m.Canary), m.limit(), m.result())
	}
	_ = table.Flush() // into memory
	fmt.Fprintf(&text, "after %s of the window of %s; pods: %d stable, %d canary", v.Elapsed.Round(time.Second),
		v.Window, v.stable.pods, v.canary.pods)
	return text.String()
}

// cell is the value and how many bad ones among all it comes from.
func (m Measure) cell(t Tally) string {
	if t.All == 0 {
		return "none"
	}
	return fmt.Sprintf("%s (%.0f of %.0f)", m.format(t.Value), t.Bad, t.All)
}

func (m Measure) limit() string {
	if math.IsNaN(m.Limit) {
		return "-"
	}
	return m.format(m.Limit)
}

func (m Measure) result() string {
	switch {
	case m.Result != NotJudged:
		return string(m.Result)
	case m.Canary.All == 0:
		return string(m.Result) + ": the canary had none"
	default:
		return string(m.Result) + ": the stable version had none"
	}
}

// LogValue implements slog.LogValuer.
func (v Verdict) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.Bool("ok", v.OK()), slog.String("elapsed", v.Elapsed.Round(time.Millisecond).String()),
		slog.Int("stable_pods", v.stable.pods), slog.Int("canary_pods", v.canary.pods),
	}
	for _, m := range v.Measures {
		attrs = append(attrs, slog.GroupAttrs(strings.ReplaceAll(m.Name, " ", "_"), m.attrs()...))
	}
	if len(v.Problems) > 0 {
		attrs = append(attrs, slog.Any("problems", v.Problems))
	}
	return slog.GroupValue(attrs...)
}

func (m Measure) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.Float64("stable", m.Stable.Value), slog.Float64("stable_bad", m.Stable.Bad),
		slog.Float64("stable_all", m.Stable.All), slog.Float64("canary", m.Canary.Value),
		slog.Float64("canary_bad", m.Canary.Bad), slog.Float64("canary_all", m.Canary.All),
		slog.Float64("limit", m.Limit), slog.String("result", string(m.Result)),
	}
	return slices.DeleteFunc(attrs, func(a slog.Attr) bool { // JSON has no such number
		return a.Value.Kind() == slog.KindFloat64 && math.IsNaN(a.Value.Float64())
	})
}
