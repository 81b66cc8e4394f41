package judge

import (
	"fmt"
	"math"
	"time"
)

const (
	// quantile of durations that is compared.
	quantile = 0.95
	// latencySlack is a difference of durations that does not count, whatever the ratio.
	latencySlack = 50 * time.Millisecond
	// chance is the probability below which a difference is taken for real.
	chance = 0.05
	// growth of the requests in the rest of the window is no reason to give a canary up too early.
	growth = 2
)

// Result is what a measure says.
type Result string

// The results.
const (
	OK        Result = "ok"
	NotOK     Result = "NOT OK"
	ByChance  Result = "ok, above the limit perhaps by chance"
	NotJudged Result = "not judged"
)

// Tally is what one side did within the window: a number of requests, or of first tokens, and how many of these were
// bad: errors, or slower than the limit.
type Tally struct {
	All, Bad float64
	// Value is the ratio of errors, or a quantile in seconds. NaN: nothing happened.
	Value float64
}

// Measure is a line of the verdict.
type Measure struct {
	Name           string
	Stable, Canary Tally
	Limit          float64 // of the canary's value
	Result         Result

	share  float64              // the limit of the canary's bad ones among all
	format func(float64) string // for values
}

// errorRatio compares the ratios of errors. Added is what the canary's may have more than the stable version's.
func errorRatio(stable, canary Tally, added float64) Measure {
	stable.Value, canary.Value = stable.Bad/stable.All, canary.Bad/canary.All
	limit := added
	if stable.All > 0 {
		limit += stable.Value
	}
	measure := Measure{Name: "error ratio", Stable: stable, Canary: canary, Limit: limit, share: limit, format: percent}
	measure.Result = compare(stable, canary, limit)
	return measure
}

// latencyLimit is the duration in seconds that most of the canary's have to keep to. A histogram knows nothing of what
// is beyond its last bound.
func latencyLimit(stable float64, ratio float64, buckets []float64) float64 {
	return min(max(stable*ratio, stable+latencySlack.Seconds()), buckets[len(buckets)-1])
}

// latency compares quantiles of durations: the canary's is above the limit if and only if the share of its durations
// that are above the limit is larger than the quantile leaves.
func latency(name string, stable, canary Tally, limit float64) Measure {
	measure := Measure{
		Name: name, Stable: stable, Canary: canary, Limit: limit, share: 1 - quantile, format: seconds,
	}
	measure.Result = compare(stable, canary, measure.share)
	return measure
}

// compare looks whether more than a share of the canary's are bad. That alone would refuse a good canary now and then:
// of few requests, one that fails is many percent, and the quantile is the duration of two or three. So the difference
// to the stable version must also be one that two sides that are alike rarely show.
func compare(stable, canary Tally, share float64) Result {
	switch {
	case stable.All == 0 || canary.All == 0:
		return NotJudged
	case canary.Bad <= share*canary.All:
		return OK
	case probability(stable, canary) >= chance:
		return ByChance
	default:
		return NotOK
	}
}

// probability is that of as many bad ones in the canary, or more, if all bad ones of both sides had befallen either
// side by chance: Fisher's exact test, one-sided.
func probability(stable, canary Tally) float64 {
	drawn, bad := math.Round(canary.All), math.Round(canary.Bad)
	all, allBad := drawn+math.Round(stable.All), bad+math.Round(stable.Bad)
	sum := 0.0
	for k := bad; k <= min(drawn, allBad); k++ {
		term := math.Exp(choose(allBad, k) + choose(all-allBad, drawn-k) - choose(all, drawn))
		sum += term
		if term < sum*1e-9 && k > drawn*allBad/all {
			break // the rest is smaller still
		}
	}
	return sum
}

// choose is the logarithm of the binomial coefficient.
func choose(n, k float64) float64 {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}

// hopeless says that the canary would be refused even if nothing else were bad among all requests that the window may
// bring. Part is how much of it is over.
func (m Measure) hopeless(part float64) bool {
	if m.Result != NotOK {
		return false
	}
	stable, canary := m.Stable, m.Canary
	more := growth / part
	stable.All, stable.Bad, canary.All = stable.All*more, stable.Bad*more, canary.All*more
	return compare(stable, canary, m.share) == NotOK
}

func percent(ratio float64) string { return fmt.Sprintf("%.2f%%", 100*ratio) }

func seconds(value float64) string { return fmt.Sprintf("%.3fs", value) }
