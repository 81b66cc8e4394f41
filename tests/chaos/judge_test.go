//go:build e2e

package chaos

import (
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

func TestTwoPrimaries(t *testing.T) {
	for name, test := range map[string]struct {
		commits []commit
		want    string
	}{
		"one primary":            {commits: []commit{{"a", "1", at(0), at(1)}, {"a", "1", at(2), at(3)}}},
		"failover":               {commits: []commit{{"a", "1", at(0), at(1)}, {"b", "2", at(2), at(3)}}},
		"answer came late":       {commits: []commit{{"b", "2", at(2), at(3)}, {"a", "1", at(1), at(9)}}},
		"old one goes on":        {[]commit{{"b", "2", at(2), at(3)}, {"a", "1", at(4), at(5)}}, "two primaries: b"},
		"both on a new timeline": {[]commit{{"b", "2", at(2), at(3)}, {"c", "2", at(4), at(5)}}, "two primaries: b"},
	} {
		t.Run(name, func(t *testing.T) {
			err := twoPrimaries(test.commits)
			if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestOutage(t *testing.T) {
	for name, test := range map[string]struct {
		acks []float64
		want time.Duration
	}{
		"none":              {[]float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0},
		"in the middle":     {[]float64{0, 1, 2, 3, 7, 8, 9}, 3 * time.Second},
		"until the end":     {[]float64{0, 1, 2, 3}, 6 * time.Second},
		"before the strike": {[]float64{-5, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0},
		"nothing at all":    {nil, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := &writer{every: time.Second, ended: at(10)}
			for _, seconds := range test.acks {
				w.acks = append(w.acks, ack{at: at(seconds)})
			}
			if got := w.outage(at(2)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// One part of the store is away while the other goes on.
func TestOutageOfAPart(t *testing.T) {
	w := &writer{every: time.Second / 2, parts: 2, ended: at(10)}
	for i := range 10 {
		w.acks = append(w.acks, ack{at: at(float64(i)), part: 0})
		if i < 3 || i > 6 {
			w.acks = append(w.acks, ack{at: at(float64(i)), part: 1})
		}
	}
	if got := w.outage(at(2.5)); got != 4*time.Second {
		t.Errorf("got %s", got)
	}
}

func TestLost(t *testing.T) {
	w := &writer{
		acks:   []ack{{at: at(0), id: "kept"}, {at: at(1), id: "gone"}},
		stored: func([]string) (map[string]bool, error) { return map[string]bool{"kept": true, "other": true}, nil },
	}
	lost, err := w.lost()
	if err != nil || len(lost) != 1 || lost[0].id != "gone" {
		t.Errorf("lost %v, %v", lost, err)
	}
}
