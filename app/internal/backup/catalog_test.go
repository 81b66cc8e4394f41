package backup

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 3, 31, 2, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func TestExpired(t *testing.T) {
	tests := map[string]struct {
		ages []time.Duration // oldest first
		want []string
	}{
		"none":                      {nil, nil},
		"the only one is old":       {[]time.Duration{90 * day}, nil},
		"all are old":               {[]time.Duration{90 * day, 60 * day, 31 * day}, []string{"0", "1"}},
		"old and young":             {[]time.Duration{31 * day, 30 * day, day}, []string{"0"}},
		"all are young":             {[]time.Duration{3 * day, 2 * day, day}, nil},
		"a clock was ahead":         {[]time.Duration{31 * day, -day}, []string{"0"}},
		"exactly as old as allowed": {[]time.Duration{30 * day, 0}, nil},
		"a nanosecond older":        {[]time.Duration{30*day + 1, 0}, []string{"0"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var manifests []Manifest
			for i, age := range test.ages {
				manifests = append(manifests, Manifest{ID: string(rune('0' + i)), FinishedAt: now.Add(-age)})
			}
			if got := expired(now, manifests, 30*day); !slices.Equal(got, test.want) {
				t.Errorf("expired = %v, want %v", got, test.want)
			}
		})
	}
}

func TestAbandoned(t *testing.T) {
	old, young := newID(now.Add(-25*time.Hour)), newID(now.Add(-23*time.Hour))
	if got := abandoned(now, []string{old, young, "no-id"}); !slices.Equal(got, []string{old}) {
		t.Errorf("abandoned = %v, want %s", got, old)
	}
}

func TestIDsSortByTime(t *testing.T) {
	first, second := newID(now), newID(now.Add(time.Millisecond))
	if again := newID(now); first >= second || first == again {
		t.Errorf("%s, %s a millisecond later, %s again", first, second, again)
	}
	if started, ok := startOf(second); !ok || !started.Equal(now.Add(time.Millisecond)) {
		t.Errorf("%s began at %s, %t", second, started, ok)
	}
	for _, other := range []string{"", "latest", "20261331T000000.000Z-aaaaaaaa", "../" + first, first + "/dump"} {
		if _, ok := startOf(other); ok {
			t.Errorf("%q passes for an id", other)
		}
	}
}

func TestCompareTables(t *testing.T) {
	a := Table{Schema: "public", Name: "a", Rows: 1, Checksum: "17"}
	b := Table{Schema: "public", Name: "b", Rows: 2, Checksum: "-5"}
	rows, checksum, schema := a, a, a
	rows.Rows, checksum.Checksum, schema.Schema = 2, "18", "other"
	tests := map[string]struct {
		got  []Table
		want []string
	}{
		"same, in another order": {[]Table{b, a}, nil},
		"rows differ":            {[]Table{rows, b}, []string{"public.a has 2 rows"}},
		"values differ":          {[]Table{checksum, b}, []string{"public.a has 1 rows with checksum 18"}},
		"one is missing":         {[]Table{a}, []string{"public.b is missing"}},
		"one is new":             {[]Table{a, b, schema}, []string{"other.a is not in the backup"}},
		"schema differs":         {[]Table{schema, b}, []string{"public.a is missing", "other.a is not in the backup"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := compareTables([]Table{a, b}, test.got)
			if (err != nil) != (len(test.want) > 0) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not contain %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestValidateDatabase(t *testing.T) {
	for name, valid := range map[string]bool{
		"ai_agent_restored": true, "_2": true, strings.Repeat("a", 53): true,
		"": false, "2a": false, "Upper": false, "a-b": false, "host=x": false, "postgres://x": false, `a"b`: false,
		strings.Repeat("a", 54): false,
	} {
		if err := ValidateDatabase(name); (err == nil) != valid {
			t.Errorf("%q: %v, want valid: %t", name, err, valid)
		}
	}
}
