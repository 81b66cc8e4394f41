package config

import (
	"strings"
	"testing"
	"time"
)

func readJudge(name, value string) (Judge, error) {
	valid := map[string]string{
		"PROMETHEUS_URL":    "http://prometheus.monitoring:9090",
		"STABLE_SELECTOR":   `namespace="ai-agent",pod!~"ai-agent-api-canary-.*"`,
		"CANARY_SELECTOR":   `namespace="ai-agent",pod=~"ai-agent-api-canary-.*"`,
		"STABLE_DEPLOYMENT": "ai-agent-api", "CANARY_DEPLOYMENT": "ai-agent-api-canary", "CANARY_IMAGE": "api@sha256:1",
		"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443",
	}
	return ReadJudge(func(variable string) (string, bool) {
		if variable == name {
			return value, true
		}
		given, ok := valid[variable]
		return given, ok
	})
}

func TestReadJudge(t *testing.T) {
	got, err := readJudge("", "")
	want := Judge{
		PrometheusURL:    "http://prometheus.monitoring:9090",
		Stable:           `namespace="ai-agent",pod!~"ai-agent-api-canary-.*"`,
		Canary:           `namespace="ai-agent",pod=~"ai-agent-api-canary-.*"`,
		StableDeployment: "ai-agent-api", CanaryDeployment: "ai-agent-api-canary", Image: "api@sha256:1", Replicas: 1,
		APIServer: "https://10.96.0.1:443",
		Window:    5 * time.Minute, MinRequests: 50, MaxErrorRatio: 0.01, MaxLatencyRatio: 1.25,
		TerminationMessage: "/dev/termination-log",
	}
	if err != nil || got != want {
		t.Errorf("defaults: %+v, error %v, want %+v", got, err, want)
	}
	for variable, values := range map[string][]string{
		"PROMETHEUS_URL": {
			"", "prometheus:9090", "ftp://prometheus", "http://user:hidden@prometheus", "http://prometheus/?hidden",
		},
		"WINDOW":            {"59s", "5", "-5m"},
		"MIN_REQUESTS":      {"0", "many"},
		"MAX_ERROR_RATIO":   {"-0.1", "1.1", "NaN", "1%"},
		"MAX_LATENCY_RATIO": {"0.9", "NaN", "Inf", "fast"},
		"LOG_LEVEL":         {"loud"},
		"STABLE_SELECTOR":   {""},
		"STABLE_DEPLOYMENT": {""},
		"CANARY_DEPLOYMENT": {""},
		"CANARY_IMAGE":      {""},
		"CANARY_REPLICAS":   {"0", "some"},
		"CANARY_SELECTOR":   {"", want.Stable},
	} {
		for _, value := range values {
			_, err := readJudge(variable, value)
			if err == nil || !strings.HasPrefix(err.Error(), variable+": ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s=%s: error %v", variable, value, err)
			} else if strings.Contains(err.Error(), "hidden") {
				t.Errorf("a secret is shown: %v", err)
			}
		}
	}
	_, err = ReadJudge(func(string) (string, bool) { return "?", true })
	if all := strings.Count(err.Error(), "\n") + 1; all != 10 {
		t.Errorf("%d problems, want 10:\n%v", all, err)
	}
}

func TestSelectors(t *testing.T) {
	for given, want := range map[string]string{
		`pod="a"`:                          `pod="a"`,
		` pod = "a" , zone!="b", `:         `pod="a",zone!="b"`,
		`pod=~"a|b",pod!~"c.*"`:            `pod=~"a|b",pod!~"c.*"`,
		`pod="a\"b\\c"`:                    `pod="a\"b\\c"`,
		`pod="{a},b"`:                      `pod="{a},b"`,
		`pod="}) or vector(0) or up{a=\""`: `pod="}) or vector(0) or up{a=\""`,
		// Not matchers alone.
		`{pod="a"}`:                    "",
		`up{pod="a"}`:                  "",
		`pod="a"} or up{pod="b"`:       "",
		`pod="a"}[5m]) or vector(0) #`: "",
		`pod="a" # comment`:            "",
		"pod=\"a\"\n} or up{pod=\"b\"": "",
		`pod="a\"} or up{pod="b"`:      "",
		`pod="a" or pod="b"`:           "",
		`pod="a" pod="b"`:              "",
		`pod="a",,zone="b"`:            "",
		`pod='a'`:                      "",
		"pod=`a`":                      "",
		`pod=a`:                        "",
		`pod`:                          "",
		`pod="a`:                       "",
		`pod=="a"`:                     "",
		`pod>"a"`:                      "",
		`,`:                            "",
		`"pod"="a"`:                    "",
		`pod="\q"`:                     "",
		`pod="\n"`:                     "",
		`pod="` + "\x00" + `"`:         "",
		`pod="` + "\xff" + `"`:         "",
		`pod=~"("`:                     "",
		`pod=~")|("`:                   "",
		`pod=~"(?=a)"`:                 "",
		`pod="a",__name__="up"`:        "",
		`le="0.5"`:                     "",
		`pod="a",status_code="200"`:    "",
		`pod="a",app_version="2"`:      "",
		`pod="a",model="gpt"`:          "",
	} {
		config, err := readJudge("STABLE_SELECTOR", given)
		if config.Stable != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, error %v, want %s", given, config.Stable, err, want)
		}
	}
}
