package monitoring

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runbooks is where each alert's runbook is, as its annotation runbook_url says: relative to the repository.
const runbooks = "docs/runbooks/"

// root is the repository's folder.
const root = "../../"

func TestRulesDoWhatTheirTestsSay(t *testing.T) {
	tests, err := filepath.Glob("rules/*_test.yaml")
	if err != nil || len(tests) == 0 {
		t.Fatalf("no tests of rules: %v", err)
	}
	for _, path := range tests {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			accepts(t, "promtool", "test", "rules", path)
		})
	}
}

// TestEveryAlertHasTests wants a case in which each alert fires and one in which it does not.
func TestEveryAlertHasTests(t *testing.T) {
	paths, err := filepath.Glob("rules/*_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases strings.Builder
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		cases.Write(text)
	}
	for _, rule := range rules(t) {
		if rule.Alert == "" {
			continue
		}
		for _, want := range []string{rule.Alert + " fires: ", rule.Alert + " does not fire: "} {
			if !strings.Contains(cases.String(), want) {
				t.Errorf("no case %q", want)
			}
		}
	}
}

func TestAlertsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, rule := range rules(t) {
		if rule.Alert == "" {
			continue
		}
		if seen[rule.Alert] {
			t.Errorf("%s exists twice", rule.Alert)
		}
		seen[rule.Alert] = true
		if !slices.Contains([]string{"critical", "warning"}, rule.Labels["severity"]) {
			t.Errorf("%s: severity %q", rule.Alert, rule.Labels["severity"])
		}
		// Alertmanager holds back warnings about a service that has a critical alert.
		if rule.Labels["service"] == "" {
			t.Errorf("%s: no service", rule.Alert)
		}
		for _, annotation := range []string{"summary", "description"} {
			if rule.Annotations[annotation] == "" {
				t.Errorf("%s: no %s", rule.Alert, annotation)
			}
		}
		if got, want := rule.Annotations["runbook_url"], runbooks+rule.Alert+".md"; got != want {
			t.Errorf("%s: runbook_url %q, want %q", rule.Alert, got, want)
		}
	}
	for _, alert := range []string{
		"APIHighErrorRate", "APIHighLatency", "APIHighMemoryUsage", "APIHighCPUUsage", "PostgreSQLDown",
		"PostgreSQLHighConnections", "RedisDown", "RedisHighMemoryUsage", "HighLLMCallFailureRate", "HighTokenUsage",
	} {
		if !seen[alert] {
			t.Errorf("no alert %s", alert)
		}
	}
}

// TestRunbooks wants one for each alert, that says what to do, and no others.
func TestRunbooks(t *testing.T) {
	var want, got []string
	for _, rule := range rules(t) {
		if rule.Alert != "" {
			want = append(want, rule.Alert+".md")
		}
	}
	entries, err := os.ReadDir(root + runbooks)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		got = append(got, entry.Name())
		text, err := os.ReadFile(root + runbooks + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		title := "# " + strings.TrimSuffix(entry.Name(), ".md") + "\n"
		for _, part := range []string{title, "\n## Meaning\n", "\n## First look\n", "\n```", "\n## What to do\n"} {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s has no %q", entry.Name(), part)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("runbooks %v, want %v", got, want)
	}
}
