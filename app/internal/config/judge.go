package config

import (
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"agentstack/app/telemetry"
)

// Judge configures agentd judge.
type Judge struct {
	PrometheusURL      string        // PROMETHEUS_URL, required, of its API without /api/v1
	Stable             string        // STABLE_SELECTOR, required: matchers of PromQL, as in pod=~"api-.*",zone="a"
	Canary             string        // CANARY_SELECTOR, required; no pod may match both
	StableDeployment   string        // STABLE_DEPLOYMENT, required: its name
	CanaryDeployment   string        // CANARY_DEPLOYMENT, required
	Image              string        // CANARY_IMAGE, required: of the canary's pods
	Replicas           int           // CANARY_REPLICAS, default 1
	APIServer          string        // of Kubernetes, as in Guard
	Window             time.Duration // WINDOW, default 5m, at least 1m: four scrapes
	MinRequests        int           // MIN_REQUESTS, default 50, of each side within the window
	MaxErrorRatio      float64       // MAX_ERROR_RATIO, default 0.01, 0 to 1, on top of the stable version's
	MaxLatencyRatio    float64       // MAX_LATENCY_RATIO, default 1.25, at least 1, of the stable version's p95
	TerminationMessage string        // TERMINATION_MESSAGE_PATH, default /dev/termination-log
	LogLevel           slog.Level    // LOG_LEVEL, default info
}

// ReadJudge returns every problem at once. TerminationMessage is set beside them.
func ReadJudge(env Env) (Judge, error) {
	r := reader{env: env}
	config := Judge{
		PrometheusURL:      r.serverURL("PROMETHEUS_URL"),
		Stable:             r.matchers("STABLE_SELECTOR"),
		Canary:             r.matchers("CANARY_SELECTOR"),
		StableDeployment:   r.required("STABLE_DEPLOYMENT"),
		CanaryDeployment:   r.required("CANARY_DEPLOYMENT"),
		Image:              r.required("CANARY_IMAGE"),
		Replicas:           r.count("CANARY_REPLICAS", 1),
		APIServer:          r.apiServer(),
		Window:             r.duration("WINDOW", 5*time.Minute, time.Minute),
		MinRequests:        r.count("MIN_REQUESTS", 50),
		MaxErrorRatio:      r.number("MAX_ERROR_RATIO", 0.01, 0, 1),
		MaxLatencyRatio:    r.number("MAX_LATENCY_RATIO", 1.25, 1, math.MaxFloat64),
		TerminationMessage: r.text("TERMINATION_MESSAGE_PATH", "/dev/termination-log"),
		LogLevel:           r.logLevel(),
	}
	if config.Canary != "" && config.Canary == config.Stable {
		r.problem("CANARY_SELECTOR", config.Canary, "want other pods than those of STABLE_SELECTOR")
	}
	return config, r.err()
}

// serverURL reads a URL that paths can be appended to.
func (r *reader) serverURL(name string) string {
	value := r.required(name)
	if value == "" {
		return ""
	}
	parsed, err := url.Parse(value)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" ||
		parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
		r.secret(name, "want http://host:port or https://host, a path at most after it, and no credentials")
	}
	return strings.TrimRight(value, "/")
}

var (
	matcher = regexp.MustCompile(`^\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")\s*(?:,\s*|$)`)
	// reserved are labels that the judged series have of the application itself, each other ones.
	reserved = slices.Concat([]string{"__name__", "le", "quantile"},
		telemetry.Requests.Labels, telemetry.RequestDuration.Labels, telemetry.TimeToFirstToken.Labels)
)

// matchers reads what may stand between the braces of a PromQL selector, and writes it anew, so that nothing else can
// get there.
func (r *reader) matchers(name string) string {
	rest := r.required(name)
	given, problems := rest, len(r.problems)
	var all []string
	for rest != "" {
		parts := matcher.FindStringSubmatch(rest)
		if parts == nil {
			r.problem(name, given, fmt.Sprintf(
				`want matchers of labels separated by commas, as in namespace="ai-agent",pod=~"api-.*"; see %q`, rest))
			break
		}
		rest = rest[len(parts[0]):]
		label, operator := parts[1], parts[2]
		value, err := strconv.Unquote(parts[3])
		switch {
		case err != nil || !utf8.ValidString(given+value) || strings.ContainsFunc(value, unicode.IsControl):
			r.problem(name, given, fmt.Sprintf("the value of %s is not a text in double quotes", label))
		case slices.Contains(reserved, label):
			r.problem(name, given, fmt.Sprintf("%s is not a label of pods; want those, as namespace and pod", label))
		}
		if _, err := regexp.Compile(value); err != nil && strings.HasSuffix(operator, "~") {
			r.problem(name, given, fmt.Sprintf("the value of %s is not a regular expression: %v", label, err))
		}
		all = append(all, label+operator+strconv.Quote(value))
	}
	if len(r.problems) > problems {
		return ""
	}
	return strings.Join(all, ",")
}

func (r *reader) number(name string, fallback, least, most float64) float64 {
	value := r.text(name, strconv.FormatFloat(fallback, 'g', -1, 64))
	number, err := strconv.ParseFloat(value, 64)
	if err != nil || !(number >= least && number <= most) { // NaN is neither
		want := fmt.Sprintf("want a number of at least %g", least)
		if most != math.MaxFloat64 {
			want = fmt.Sprintf("want a number from %g to %g", least, most)
		}
		r.problem(name, value, want)
	}
	return number
}
