//go:build bench

package bench

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

const (
	// rounds of each measurement; the median counts.
	rounds = 5
	// idleStreams are held open to see what they cost.
	idleStreams = 1000
	// certificates is the other file of the image.
	certificates = "/etc/ssl/certs/ca-certificates.crt"
)

// table collects what was measured, and what misses its limit.
type table struct {
	*tabwriter.Writer
	t *testing.T
}

func (b table) row(what, measured, limit string, good bool) {
	verdict := "ok"
	if !good {
		verdict = "MISSED"
		b.t.Errorf("%s: %s, want %s", what, measured, limit)
	}
	fmt.Fprintf(b, "%s\t%s\t%s\t%s\n", what, measured, limit, verdict)
}

func TestBenchmark(t *testing.T) {
	s := newSetting(t)
	result := table{tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0), t}
	fmt.Fprintf(result, "measured\tvalue\tlimit\t\n")
	proxy := start(t, nil, filepath.Join(s.folder, "proxy"), s.mock.url)
	bare, _ := s.agentd(t, map[string]string{"STORE_EXCHANGES": "false", "MAX_STREAMS": "5000"})
	storing, _ := s.agentd(t, nil)
	targets := []target{{"mockllm", s.mock.url, ""}, {"proxy", proxy.url, ""},
		{"agentd", bare.url, s.key}, {"agentd, storing", storing.url, s.key}}
	throughput(t, result, targets)
	firstToken(t, result, targets[1], targets[2])
	idle(t, result, s)
	startTimes(t, result, s)
	imageSize(t, result, s)
	if err := result.Flush(); err != nil {
		t.Fatal(err)
	}
}

// throughput compares saturation rates, and latencies at half of that of agentd.
func throughput(t *testing.T, result table, targets []target) {
	rates := make([][]float64, len(targets))
	ratios := make([][]float64, len(targets))
	for range rounds {
		for i, target := range targets {
			rates[i] = append(rates[i], target.saturation(t))
		}
		for i := range targets {
			last := len(rates[i]) - 1
			ratios[i] = append(ratios[i], rates[i][last]/rates[1][last])
		}
	}
	limits := []float64{0, 0, 0.7, 0.5}
	for i, target := range targets {
		ratio := median(ratios[i])
		limit := "-"
		if limits[i] > 0 {
			limit = fmt.Sprintf(">= %.2f", limits[i])
		}
		measured := fmt.Sprintf("%.0f/s, %.2f of the proxy", median(rates[i]), ratio)
		result.row("saturation of "+target.name, measured, limit, ratio >= limits[i])
	}
	rate := int(median(rates[2]) / 2)
	var added []time.Duration
	for range rounds {
		added = append(added, targets[2].p99(t, rate)-targets[1].p99(t, rate))
	}
	const limit = 2 * time.Millisecond
	result.row(fmt.Sprintf("p99 that agentd adds at %d/s", rate), median(added).Round(10*time.Microsecond).String(),
		"< "+limit.String(), median(added) < limit)
}

func firstToken(t *testing.T, result table, proxy, agentd target) {
	const requests, limit = 200, time.Millisecond
	var added []time.Duration
	for range rounds {
		added = append(added, agentd.firstToken(t, requests)-proxy.firstToken(t, requests))
	}
	result.row("time to first token that agentd adds", median(added).Round(10*time.Microsecond).String(),
		"< "+limit.String(), median(added) < limit)
}

// idle opens streams that have begun and then say nothing, on a server that has just started.
func idle(t *testing.T, result table, s *setting) {
	const limit = 100 << 20
	server, _ := s.agentd(t, nil)
	agentd := target{"agentd", server.url, s.key}
	agentd.firstToken(t, 1)
	before := server.memory(t)
	for range idleStreams {
		response := agentd.open(t, hanging)
		defer response.Body.Close()
		if !bufio.NewScanner(response.Body).Scan() {
			t.Fatal("a stream ended")
		}
	}
	cost := server.memory(t) - before
	result.row(fmt.Sprintf("memory of %d idle streams", idleStreams), fmt.Sprintf("%d MiB", cost>>20),
		fmt.Sprintf("< %d MiB", limit>>20), cost < limit)
}

func startTimes(t *testing.T, result table, s *setting) {
	const limit = 300 * time.Millisecond
	var times []time.Duration
	for range rounds {
		server, ready := s.agentd(t, nil)
		server.stop()
		times = append(times, ready)
	}
	took := median(times)
	result.row("start to /ready", took.Round(time.Millisecond).String(), "< "+limit.String(), took < limit)
}

// imageSize adds up the files of the image, as they are and as a registry keeps them; it has no others.
func imageSize(t *testing.T, result table, s *setting) {
	const limit = 30_000_000
	dockerfile, err := os.ReadFile("../Dockerfile")
	if err != nil || strings.Count(string(dockerfile), "COPY --from=build") != 3 {
		t.Fatalf("the image has other files than those counted here: %v", err)
	}
	var unpacked, packed int
	for _, path := range []string{filepath.Join(s.folder, "agentd"), certificates} {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var layer bytes.Buffer
		writer := gzip.NewWriter(&layer)
		if _, err := writer.Write(file); err != nil {
			t.Fatal(err)
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		unpacked, packed = unpacked+len(file), packed+layer.Len()
	}
	result.row("image in the registry", fmt.Sprintf("%.1f MB", float64(packed)/1e6), "< 30 MB", packed < limit)
	result.row("image, unpacked", fmt.Sprintf("%.1f MB", float64(unpacked)/1e6), "-", true)
}
