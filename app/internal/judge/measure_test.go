package judge

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"agentstack/app/telemetry"
)

func TestErrorRatio(t *testing.T) {
	type tally = Tally
	for _, test := range []struct {
		name           string
		stable, canary tally
		want           Result
		hopeless       bool // after a tenth of the window
	}{
		{"no errors", tally{All: 900}, tally{All: 100}, OK, false},
		{"at the limit", tally{All: 900}, tally{All: 100, Bad: 1}, OK, false},
		{"one of few may be chance", tally{All: 450}, tally{All: 50, Bad: 1}, ByChance, false},
		{"one of few beside many good", tally{All: 4950}, tally{All: 50, Bad: 1}, NotOK, false},
		{"two of few", tally{All: 450}, tally{All: 50, Bad: 2}, NotOK, false},
		{"few percent of many", tally{All: 9000}, tally{All: 1000, Bad: 25}, NotOK, false},
		{"a fifth", tally{All: 900}, tally{All: 100, Bad: 20}, NotOK, false},
		{"a third", tally{All: 900}, tally{All: 100, Bad: 33}, NotOK, true},
		{"all", tally{All: 900}, tally{All: 100, Bad: 100}, NotOK, true},
		{"both are bad", tally{All: 900, Bad: 540}, tally{All: 100, Bad: 60}, OK, false},
		{"both are bad, the canary more", tally{All: 900, Bad: 450}, tally{All: 100, Bad: 70}, NotOK, false},
		{"the canary is better", tally{All: 900, Bad: 90}, tally{All: 100}, OK, false},
		{"increase knows no integers", tally{All: 899.6, Bad: 0.2}, tally{All: 99.7, Bad: 19.9}, NotOK, false},
		{"very many", tally{All: 9e6, Bad: 9e3}, tally{All: 1e6, Bad: 2e4}, NotOK, false},
		{"no canary", tally{All: 900}, tally{}, NotJudged, false},
		{"no stable", tally{}, tally{All: 100, Bad: 100}, NotJudged, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := errorRatio(test.stable, test.canary, 0.01)
			if got := m.hopeless(0.1); m.Result != test.want || got != test.hopeless {
				t.Errorf("%s, hopeless %t, want %s, %t: %+v", m.Result, got, test.want, test.hopeless, m)
			}
		})
	}
}

func TestProbability(t *testing.T) {
	for _, test := range []struct {
		stable, canary Tally
		want           float64
	}{
		// The lady that tastes tea: https://en.wikipedia.org/wiki/Lady_tasting_tea
		{Tally{All: 4}, Tally{All: 4, Bad: 4}, 1. / 70},
		{Tally{All: 4, Bad: 1}, Tally{All: 4, Bad: 3}, 17. / 70},
		{Tally{All: 4, Bad: 4}, Tally{All: 4}, 1},
		{Tally{All: 450}, Tally{All: 50, Bad: 1}, 0.1},
		{Tally{All: 1e6}, Tally{All: 1e6}, 1},
	} {
		if got := probability(test.stable, test.canary); math.Abs(got-test.want) > 1e-6 {
			t.Errorf("%+v, %+v: %g, want %g", test.stable, test.canary, got, test.want)
		}
	}
}

func TestLatencyLimit(t *testing.T) {
	buckets := telemetry.TimeToFirstToken.Buckets // to 30 s
	for stable, want := range map[float64]float64{0.004: 0.054, 0.2: 0.25, 1: 1.25, 20: 25, 28: 30, 30: 30} {
		if got := latencyLimit(stable, 1.25, buckets); math.Abs(got-want) > 1e-9 {
			t.Errorf("%g s: %g, want %g", stable, got, want)
		}
	}
	if got := latencyLimit(math.NaN(), 1.25, buckets); !math.IsNaN(got) {
		t.Errorf("unknown: %g", got)
	}
}

func TestLatency(t *testing.T) {
	for _, test := range []struct {
		name           string
		stable, canary Tally
		want           Result
	}{
		{"alike", Tally{All: 900, Bad: 40}, Tally{All: 100, Bad: 5}, OK},
		{"slower", Tally{All: 900, Bad: 40}, Tally{All: 100, Bad: 12}, NotOK},
		{"few, one of them slow", Tally{All: 90, Bad: 4}, Tally{All: 10, Bad: 1}, ByChance},
		{"few, all of them slow", Tally{All: 90, Bad: 4}, Tally{All: 10, Bad: 10}, NotOK},
		{"no stream of the canary", Tally{All: 90}, Tally{Value: math.NaN()}, NotJudged},
		{"no stream of the stable version", Tally{Value: math.NaN()}, Tally{All: 90}, NotJudged},
	} {
		if m := latency("p95", test.stable, test.canary, 0.1); m.Result != test.want {
			t.Errorf("%s: %s, want %s", test.name, m.Result, test.want)
		}
	}
}

// good is a side that nothing is to be said against.
func good(requests float64) side { return side{pods: 2, requests: Tally{All: requests}} }

func TestConclude(t *testing.T) {
	limits := Limits{MinRequests: 50, ErrorRatio: 0.01, LatencyRatio: 1.25}
	for _, test := range []struct {
		name           string
		stable, canary func(*side)
		want           []string // problems, their beginnings
		hopeless       bool
	}{
		{name: "good"},
		{
			name: "errors", canary: func(s *side) { s.requests.Bad = 30 },
			want: []string{"error ratio of 30.00% is above the limit of 1.00%"}, hopeless: true,
		},
		{
			name: "too few", canary: func(s *side) { s.requests = Tally{All: 49.4} },
			want: []string{"cannot judge: the canary got 49 requests, and 50 are needed"},
		},
		{
			name: "too few, and errors", canary: func(s *side) { s.requests = Tally{All: 40, Bad: 40} },
			want: []string{"error ratio of 100.00%", "cannot judge: the canary got 40 requests, and 50"},
		},
		{
			name: "too few of the stable version", stable: func(s *side) { s.requests.All = 1 },
			want: []string{"cannot judge: the stable version got 1 requests"},
		},
		{
			name: "no traffic", canary: func(s *side) { s.requests = Tally{} },
			want: []string{"cannot judge: the canary got no traffic"},
		},
		{
			name: "no such metric", canary: func(s *side) { *s = side{missing: telemetry.Info.Name} },
			want: []string{"cannot judge: Prometheus has no such metric as ai_agent_info of the canary"},
		},
		{
			name:   "no requests exported",
			canary: func(s *side) { *s = side{pods: 1, missing: telemetry.Requests.Name} },
			want:   []string{"cannot judge: the canary has no such metric as ai_agent_requests_total"},
		},
		{
			name: "gone", canary: func(s *side) { s.pods = 0 },
			want: []string{"cannot judge: Prometheus reads no pod of the canary any more"},
		},
		{
			name: "does not answer", canary: func(s *side) { s.silent = []string{"a"} },
			want: []string{"the canary does not answer Prometheus: a"},
		},
		{
			name: "restarted", canary: func(s *side) { s.restarted = []string{"a", "b"} },
			want: []string{"the canary restarted: a, b"}, hopeless: true,
		},
		{name: "the stable version restarted", stable: func(s *side) { s.restarted = []string{"a"} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			stable, canary := good(900), good(100)
			for s, change := range map[*side]func(*side){&stable: test.stable, &canary: test.canary} {
				if change != nil {
					change(s)
				}
			}
			v := Verdict{Elapsed: time.Minute, Window: 5 * time.Minute, stable: stable, canary: canary}
			v.Measures = []Measure{errorRatio(stable.requests, canary.requests, limits.ErrorRatio)}
			v = v.conclude(limits)
			if !slices.EqualFunc(v.Problems, test.want, strings.HasPrefix) || v.OK() != (len(test.want) == 0) {
				t.Errorf("%q, want %q", v.Problems, test.want)
			}
			if got := v.hopeless(limits); got != test.hopeless {
				t.Errorf("hopeless: %t, want %t", got, test.hopeless)
			}
		})
	}
}

func TestVerdictText(t *testing.T) {
	stable, canary := good(900), good(100)
	canary.requests.Bad = 12
	limits := Limits{MinRequests: 50, ErrorRatio: 0.01, LatencyRatio: 1.25}
	v := Verdict{Elapsed: time.Minute, Window: 5 * time.Minute, stable: stable, canary: canary, Measures: []Measure{
		errorRatio(stable.requests, canary.requests, 0.01),
		latency("p95 of requests", Tally{900, 10, 0.412}, Tally{100, 9, 0.533}, 0.515),
		latency("p95 to first token", Tally{300, 10, 0.21}, Tally{Value: math.NaN()}, 0.262),
	}}.conclude(limits)
	const want = "the canary is refused: error ratio of 12.00% is above the limit of 1.00%; " +
		`p95 of requests of 0.533s is above the limit of 0.515s
MEASURE             STABLE              CANARY              LIMIT   RESULT
error ratio         0.00% (0 of 900)    12.00% (12 of 100)  1.00%   NOT OK
p95 of requests     0.412s (10 of 900)  0.533s (9 of 100)   0.515s  NOT OK
p95 to first token  0.210s (10 of 300)  none                0.262s  not judged: the canary had none
after 1m0s of the window of 5m0s; pods: 2 stable, 2 canary`
	if got := v.String(); got != want {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("judged", "verdict", v)
	var line struct {
		Verdict struct {
			OK         bool
			Problems   []string
			Requests   map[string]any `json:"p95_of_requests"`
			FirstToken map[string]any `json:"p95_to_first_token"`
		}
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	requests := map[string]any{
		"stable": 0.412, "stable_bad": 10., "stable_all": 900., "canary": 0.533, "canary_bad": 9., "canary_all": 100.,
		"limit": 0.515, "result": "NOT OK",
	}
	_, unknown := line.Verdict.FirstToken["canary"]
	if !maps.Equal(line.Verdict.Requests, requests) || unknown || line.Verdict.OK || len(line.Verdict.Problems) != 2 {
		t.Errorf("log: %s", log.String())
	}
}
