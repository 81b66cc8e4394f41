package monitoring

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"agentstack/app/telemetry"
)

// exposition names real output of an exporter to record, as in
//
//	curl -s http://127.0.0.1:9100/metrics >/tmp/node.txt
//	go test ./components/monitoring -run TestRecordings -exposition node-exporter=/tmp/node.txt
//
// Several files for one job, separated by commas, are put together.
var exposition = flag.String("exposition", "", "record what exporters expose: <job>=<file>[,<file>]")

const recordings = "testdata/exporters"

// series are the labels of time series by their names.
type series map[string]map[string]bool

func (s series) add(name string, labels ...string) {
	if s[name] == nil {
		s[name] = map[string]bool{}
	}
	for _, label := range labels {
		s[name][label] = true
	}
}

// addFamily adds the series of a metric family. Histograms and summaries have several.
func (s series) addFamily(name string, kind dto.MetricType, labels ...string) {
	switch kind {
	case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		s.add(name+"_bucket", append(labels, model.BucketLabel)...)
	case dto.MetricType_SUMMARY:
		s.add(name, append(labels, model.QuantileLabel)...)
	default:
		s.add(name, labels...)
		return
	}
	s.add(name+"_sum", labels...)
	s.add(name+"_count", labels...)
}

// read adds what an exporter exposes.
func (s series) read(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open exposition: %w", err)
	}
	defer file.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(file)
	if err != nil {
		return fmt.Errorf("parse %s: %w", path, err)
	}
	for name, family := range families {
		s.addFamily(name, family.GetType())
		for _, metric := range family.GetMetric() {
			for _, pair := range metric.GetLabel() {
				s.addFamily(name, family.GetType(), pair.GetName())
			}
		}
	}
	return nil
}

// String has one line for each name, such as `redis_up{}`.
func (s series) String() string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&text, "%s{%s}\n", name, strings.Join(slices.Sorted(maps.Keys(s[name])), ","))
	}
	return text.String()
}

var recordedLine = regexp.MustCompile(`^([a-zA-Z_:][\w:]*)\{([\w,]*)\}$`)

// parseRecording is the opposite of String.
func parseRecording(text string) (series, error) {
	parsed := series{}
	for line := range strings.Lines(text) {
		match := recordedLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if match == nil {
			return nil, fmt.Errorf("parse recorded line %q", line)
		}
		parsed.add(match[1], strings.FieldsFunc(match[2], func(r rune) bool { return r == ',' })...)
	}
	return parsed, nil
}

// targetLabels are what Prometheus adds to the series of each job.
func targetLabels(job string) []string {
	labels := []string{"job", "instance", "region"}
	switch job {
	case nameKubeState:
		return labels
	case "kubelet", "kubelet-cadvisor":
		return append(labels, "node", "zone")
	default:
		return append(labels, "namespace", "pod", "container", "node", "zone")
	}
}

// knownSeries returns every series that Prometheus can have without rules: what is exposed and not dropped.
func knownSeries(t testing.TB) series {
	t.Helper()
	known := series{}
	known.add("up", targetLabels("ai-agent-api")...)
	types := map[telemetry.Type]dto.MetricType{telemetry.Histogram: dto.MetricType_HISTOGRAM}
	for _, family := range telemetry.Families() {
		known.addFamily(family.Name, types[family.Type], append(targetLabels("ai-agent-api"), family.Labels...)...)
	}
	dropping := map[string][]relabelRule{}
	for _, job := range configuredJobs(t) {
		dropping[job.Name] = job.SeriesRules
	}
	paths, err := filepath.Glob(recordings + "/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recordings of exporters: %v", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		recorded, err := parseRecording(string(text))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		job := strings.TrimSuffix(filepath.Base(path), ".txt")
		for name, names := range recorded {
			sample := labels.NewBuilder(labels.FromStrings(labels.MetricName, name))
			for label := range names {
				sample.Set(label, "some")
			}
			if keeps(dropping[job], sample.Labels()) {
				known.add(name, slices.Concat(slices.Collect(maps.Keys(names)), targetLabels(job))...)
			}
		}
	}
	return known
}

// TestRecordings wants a recording for each job, in the form in which they are written.
func TestRecordings(t *testing.T) {
	if job, paths, found := strings.Cut(*exposition, "="); found {
		recorded := series{}
		for path := range strings.SplitSeq(paths, ",") {
			if err := recorded.read(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(recordings, job+".txt"), []byte(recorded.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	jobs := []string{"envoy", "kubelet", "kubelet-cadvisor"}
	for _, job := range (Args{}).scrapeJobs() {
		if job.Name != "ai-agent-api" {
			jobs = append(jobs, job.Name)
		}
	}
	for _, job := range jobs {
		text, err := os.ReadFile(filepath.Join(recordings, job+".txt"))
		if err != nil {
			t.Errorf("nothing is recorded of %s: %v", job, err)
			continue
		}
		recorded, err := parseRecording(string(text))
		if err != nil {
			t.Errorf("%s: %v", job, err)
		}
		if !bytes.Equal([]byte(recorded.String()), text) {
			t.Errorf("%s.txt is not as it is written by -exposition", job)
		}
	}
}
