package judge

import (
	"context"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"agentstack/app/telemetry"
)

const (
	// failures, in scrapes, in a row make a pod silent: one may fail on a busy machine.
	failures = 2
	// fresh, in scrapes, is the age up to which a sample says something of the present.
	fresh = 4
)

var (
	clientRequests = except(telemetry.MachineEndpoints()...)
	// A WebSocket stays open for as long as its client likes.
	timedRequests   = except(append(telemetry.MachineEndpoints(), telemetry.WebSocketEndpoint)...)
	judgedDurations = [...]durations{
		{"p95 of requests", telemetry.RequestDuration, timedRequests},
		{"p95 to first token", telemetry.TimeToFirstToken, ""},
	}
)

// durations are those of a histogram that further matchers leave.
type durations struct {
	name     string
	family   telemetry.Family
	matchers string // with the comma that joins them to those of a side
}

// buckets are those that grew within the observer's window, of the pods that matchers select.
func (d durations) buckets(o observer, matchers string) string {
	return fmt.Sprintf("sum by (le) (%s)", o.grown(d.family.Name+"_bucket", matchers+d.matchers))
}

// except returns a matcher for all other endpoints, with the comma that joins it to others.
func except(endpoints ...string) string {
	for i := range endpoints {
		endpoints[i] = regexp.QuoteMeta(endpoints[i])
	}
	return ",endpoint!~" + strconv.Quote(strings.Join(endpoints, "|"))
}

// side is what Prometheus knows of one version within the window.
type side struct {
	pods      int      // that Prometheus reads now
	silent    []string // pods that it fails to read, time and again
	restarted []string // pods whose process began anew
	missing   string   // the name of a metric that no pod has, if nothing is known
	requests  Tally
	durations [len(judgedDurations)]Tally // in that order, without Bad
}

// observer asks for one moment, so that its answers belong together.
type observer struct {
	prometheus
	at       model.Time
	window   time.Duration // before it
	interval time.Duration // of scrapes
}

// observe begins at the time of Prometheus' clock.
func observe(ctx context.Context, p prometheus, window, interval time.Duration) (observer, error) {
	now, err := p.query(ctx, "vector(time())", 0)
	if err != nil {
		return observer{}, err
	}
	if len(now) != 1 {
		return observer{}, fmt.Errorf("ask Prometheus for its time: %d answers", len(now))
	}
	return observer{prometheus: p, at: now[0].Timestamp, window: window, interval: interval}, nil
}

// side asks about the pods that matchers select.
func (o observer) side(ctx context.Context, matchers string) (side, error) {
	var s side
	var err error
	ask := func(expression string) model.Vector {
		var answer model.Vector
		if err == nil {
			answer, err = o.query(ctx, expression, o.at)
		}
		return answer
	}
	s.pods = len(pods(ask("last_over_time(" + last(telemetry.Info.Name, matchers, fresh*o.interval) + ")")))
	s.silent = pods(ask("max_over_time(" + last("up", matchers, failures*o.interval) + ") == 0"))
	// The metric is one that client_golang's collector has of every process.
	s.restarted = pods(ask("changes(" + last("process_start_time_seconds", matchers, o.window) + ") > 0"))
	requests := telemetry.Requests.Name
	s.requests.All = number(ask(o.total(requests, matchers+clientRequests)), 0)
	s.requests.Bad = number(ask(o.total(requests, matchers+clientRequests+`,status_code=~"5.."`)), 0)
	for i, d := range judgedDurations {
		s.durations[i].All = number(ask(o.total(d.family.Name+"_count", matchers+d.matchers)), 0)
		quantile := ask(fmt.Sprintf("histogram_quantile(%g, %s)", quantile, d.buckets(o, matchers)))
		s.durations[i].Value = number(quantile, math.NaN())
	}
	if s.requests.All == 0 {
		for _, name := range []string{requests, telemetry.Info.Name} { // probes count as requests
			if len(ask("count(last_over_time("+last(name, matchers, o.window+fresh*o.interval)+"))")) == 0 {
				s.missing = name
			}
		}
	}
	return s, err
}

// slower sets how many durations of a side are above a limit in seconds.
func (o observer) slower(ctx context.Context, tally *Tally, d durations, matchers string, limit float64) error {
	if tally.All == 0 || math.IsNaN(limit) {
		return nil
	}
	answer, err := o.query(ctx, fmt.Sprintf("histogram_fraction(%g, +Inf, %s)", limit, d.buckets(o, matchers)), o.at)
	if share := number(answer, 0); !math.IsNaN(share) {
		tally.Bad = share * tally.All
	}
	return err
}

// overlap returns the pods that two matchers both select.
func (o observer) overlap(ctx context.Context, one, other string) ([]string, error) {
	answer, err := o.query(ctx, telemetry.Info.Name+braces(one+","+other), o.at)
	return pods(answer), err
}

func (o observer) total(name, matchers string) string {
	return fmt.Sprintf("sum(%s)", o.grown(name, matchers))
}

// last selects the samples of a time.
func last(name, matchers string, d time.Duration) string {
	return name + braces(matchers) + "[" + span(d) + "]"
}

// grown is by how much counters grew within the window. A counter that was born in it, as that of the first error of
// its kind, has its whole value from there: increase alone would not see its first one.
func (o observer) grown(name, matchers string) string {
	counter, window := name+braces(matchers), span(o.window)
	return fmt.Sprintf("(%s unless last_over_time(%[1]s[5m] offset %s)) or increase(%[1]s[%[2]s])", counter, window)
}

func braces(matchers string) string { return "{" + matchers + "}" }

// span writes a duration as PromQL does.
func span(d time.Duration) string { return strconv.FormatInt(max(1, d.Milliseconds()), 10) + "ms" }

// number is the value of an answer with one sample.
func number(answer model.Vector, fallback float64) float64 {
	if len(answer) == 0 {
		return fallback
	}
	return float64(answer[0].Value)
}

// pods lists the pods of series.
func pods(answer model.Vector) []string {
	names := map[string]bool{}
	for _, sample := range answer {
		name := sample.Metric["pod"]
		if name == "" {
			name = sample.Metric[model.InstanceLabel]
		}
		names[string(name)] = true
	}
	return slices.Sorted(maps.Keys(names))
}
