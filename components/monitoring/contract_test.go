package monitoring

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"agentstack/app/telemetry"
)

// ruleFile is a file of rules in the form of Prometheus.
type ruleFile struct {
	Groups []struct {
		Name     string `json:"name"`
		Interval string `json:"interval"`
		Rules    []rule `json:"rules"`
	} `json:"groups"`
}

type rule struct {
	Record      string            `json:"record"`
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func (r rule) name() string { return r.Alert + r.Record }

// rules returns all rules that Prometheus gets.
func rules(t testing.TB) []rule {
	t.Helper()
	content, err := files(ruleFiles, "rules")
	if err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, name := range slices.Sorted(maps.Keys(content)) {
		var file ruleFile
		if err := yaml.UnmarshalStrict([]byte(content[name]), &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, group := range file.Groups {
			all = append(all, group.Rules...)
		}
	}
	return all
}

// check reports names and labels in a PromQL expression that no target has.
func (s series) check(expr string) []string {
	tree, err := parser.ParseExpr(expr)
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.VectorSelector:
			problems = append(problems, s.checkSelector(node)...)
		case *parser.AggregateExpr:
			if !node.Without {
				problems = append(problems, s.checkLabels(node.Expr, node.Grouping)...)
			}
		case *parser.BinaryExpr:
			if matching := node.VectorMatching; matching != nil && matching.On {
				problems = append(problems, s.checkLabels(node.LHS, matching.MatchingLabels)...)
				problems = append(problems, s.checkLabels(node.RHS, matching.MatchingLabels)...)
			}
		}
		return nil
	})
	return problems
}

// checkMetric reports a name that no target has, or the labels that it does not have.
func (s series) checkMetric(name string, labels ...string) []string {
	if s[name] == nil {
		return []string{"unknown metric " + name}
	}
	var problems []string
	for _, label := range labels {
		if !s[name][label] {
			problems = append(problems, fmt.Sprintf("%s has no label %s", name, label))
		}
	}
	return problems
}

func (s series) checkSelector(selector *parser.VectorSelector) []string {
	var names []string
	for _, matcher := range selector.LabelMatchers {
		if matcher.Name != labels.MetricName {
			names = append(names, matcher.Name)
		}
	}
	problems := s.checkMetric(selector.Name, names...)
	for _, matcher := range selector.LabelMatchers {
		if matcher.Name == model.BucketLabel && !slices.Contains(bucketsOf(selector.Name), matcher.Value) {
			problems = append(problems, fmt.Sprintf("%s has no bucket %s", selector.Name, matcher.Value))
		}
	}
	return problems
}

// bucketsOf returns the label values of an application histogram's buckets in the form that Prometheus gives them.
func bucketsOf(name string) []string {
	var bounds []string
	for _, family := range telemetry.Families() {
		if family.Name+"_bucket" != name {
			continue
		}
		for _, bound := range family.Buckets {
			text := strconv.FormatFloat(bound, 'g', -1, 64)
			if !strings.ContainsAny(text, ".e") {
				text += ".0"
			}
			bounds = append(bounds, text)
		}
	}
	return bounds
}

// checkLabels reports labels that are missing from a series below node.
func (s series) checkLabels(node parser.Node, names []string) []string {
	var problems []string
	parser.Inspect(node, func(node parser.Node, path []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok && !onlyMatched(append(path, node)) {
			problems = append(problems, s.checkMetric(selector.Name, names...)...)
		}
		return nil
	})
	return problems
}

// onlyMatched is true below the side of an operation whose labels do not get into the result: the one that group_left
// or group_right leaves.
func onlyMatched(path []parser.Node) bool {
	for i, node := range path[:len(path)-1] {
		binary, ok := node.(*parser.BinaryExpr)
		if !ok || binary.VectorMatching == nil {
			continue
		}
		switch binary.VectorMatching.Card {
		case parser.CardManyToOne:
			if path[i+1] == binary.RHS {
				return true
			}
		case parser.CardOneToMany:
			if path[i+1] == binary.LHS {
				return true
			}
		}
	}
	return false
}

// addRecorded adds the series that rules record: they have the labels by which their expressions group, and their own.
func (s series) addRecorded(rules []rule) error {
	for _, rule := range rules {
		if rule.Record == "" {
			continue
		}
		tree, err := parser.ParseExpr(rule.Expr)
		if err != nil {
			return fmt.Errorf("parse %s: %w", rule.Record, err)
		}
		s.add(rule.Record, slices.Collect(maps.Keys(rule.Labels))...)
		parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
			if aggregation, ok := node.(*parser.AggregateExpr); ok {
				s.add(rule.Record, aggregation.Grouping...)
			}
			return nil
		})
	}
	return nil
}

func contract(t testing.TB) series {
	t.Helper()
	known := knownSeries(t)
	if err := known.addRecorded(rules(t)); err != nil {
		t.Fatal(err)
	}
	return known
}

func TestRulesUseSeriesThatExist(t *testing.T) {
	known := contract(t)
	for _, rule := range rules(t) {
		for _, problem := range known.check(rule.Expr) {
			t.Errorf("%s: %s", rule.name(), problem)
		}
	}
}

type dashboard struct {
	UID    string `json:"uid"`
	Panels []struct {
		Title   string `json:"title"`
		Targets []struct {
			Expr         string `json:"expr"`
			LegendFormat string `json:"legendFormat"`
		} `json:"targets"`
	} `json:"panels"`
}

var legendLabel = regexp.MustCompile(`\{\{(\w+)\}\}`)

func TestDashboardsUseSeriesThatExist(t *testing.T) {
	known := contract(t)
	content, err := files(dashboardFiles, "dashboards")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range content {
		var board dashboard
		if err := json.Unmarshal([]byte(text), &board); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := "ai-agent-" + strings.TrimSuffix(name, ".json"); board.UID != want || len(board.Panels) == 0 {
			t.Errorf("%s: uid %q with %d panels, want %q and some", name, board.UID, len(board.Panels), want)
		}
		for _, panel := range board.Panels {
			for _, target := range panel.Targets {
				for _, problem := range known.check(target.Expr) {
					t.Errorf("%s: %s", panel.Title, problem)
				}
				for _, label := range legendLabel.FindAllStringSubmatch(target.LegendFormat, -1) {
					if !strings.Contains(target.Expr, label[1]) && !strings.HasPrefix(target.Expr, "region:") {
						t.Errorf("%s: legend shows %s, which the query does not keep", panel.Title, label[1])
					}
				}
			}
		}
	}
}

// TestContractFails shows what the checks above are worth.
func TestContractFails(t *testing.T) {
	known := contract(t)
	for _, test := range []struct{ name, expr, want string }{
		{"known metric of the app", `ai_agent_requests_total{status_code="500", pod="p"}`, ""},
		{"known metric of an exporter", `sum by (region, pod) (redis_up)`, ""},
		{"name of the seed", `http_requests_total`, "unknown metric http_requests_total"},
		{"label of the seed", `ai_agent_requests_total{status="500"}`, "ai_agent_requests_total has no label status"},
		{"histogram without suffix", `ai_agent_request_duration_seconds`,
			"unknown metric ai_agent_request_duration_seconds"},
		{"bucket in between", `ai_agent_request_duration_seconds_bucket{le="0.7"}`,
			"ai_agent_request_duration_seconds_bucket has no bucket 0.7"},
		{"bucket as the app writes it", `ai_agent_request_duration_seconds_bucket{le="30"}`,
			"ai_agent_request_duration_seconds_bucket has no bucket 30"},
		{"grouping", `sum by (color) (redis_up)`, "redis_up has no label color"},
		{"grouping of a counter by le", `sum by (le) (rate(ai_agent_llm_calls_total[5m]))`,
			"ai_agent_llm_calls_total has no label le"},
		{"matching", `redis_up == on (color) redis_up`, "redis_up has no label color"},
		{"label of the many", `sum by (pod) (kube_pod_info * on (node) group_left () kube_node_info)`, ""},
		{"label of the one", `sum by (pod) (kube_node_info * on (node) group_right () kube_node_created)`,
			"kube_node_created has no label pod"},
		{"pod that scraping must not add", `kube_cronjob_created{node="n"}`, "kube_cronjob_created has no label node"},
		{"series that scraping drops", `envoy_cluster_upstream_rq_xx`, "unknown metric envoy_cluster_upstream_rq_xx"},
		{"inside of functions", `absent(pg_up == 1)`, "unknown metric pg_up"},
		{"syntax", `sum(`, "unclosed left parenthesis"},
	} {
		t.Run(test.name, func(t *testing.T) {
			problems := strings.Join(known.check(test.expr), "\n")
			if test.want == "" && problems != "" || !strings.Contains(problems, test.want) {
				t.Errorf("check says %q, want %q", problems, test.want)
			}
		})
	}
	unknown, found := known.checkMetric("http_requests_per_second"), known.checkMetric("ai_agent_requests_total", "pod")
	if unknown == nil || found != nil {
		t.Error("checkMetric does not tell what an autoscaler may refer to")
	}
}
