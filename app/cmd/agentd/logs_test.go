package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// noLog are texts that no log may have, whatever a test did: credentials of ours by their form, and what was
// configured.
var noLog = regexp.MustCompile(`ask_[0-9a-f]{32}_|asr_[0-9a-f]{32}_|eyJ[\w-]{10,}\.|\$argon2id|not-for-logs|` +
	// What clients and models said, and what documents say.
	`You said|black and white stripes|okapi|hostile-mark|half-mark|left-mark|left-document`)

// checkLog looks for secrets and contents in what a server has written at the level debug.
func (s *server) checkLog(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(s.logs.String()) {
		if found := noLog.FindString(line); found != "" {
			t.Errorf("the log has %q: %s", found, line)
		}
	}
}

// TestProfiles: profiles are served on their own loopback address, and nothing of them with the API.
func TestProfiles(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	s := e.start(t, map[string]string{"PPROF_ADDR": "127.0.0.1:0"})
	profiles := &server{env: e}
	for _, line := range s.logs.lines(t) {
		if line["msg"] == "serving profiles" {
			profiles.url = "http://" + line["addr"].(string)
		}
	}
	for path, want := range map[string]string{
		"/debug/pprof/heap?debug=1": "heap profile:", "/debug/pprof/goroutine?debug=1": "goroutine profile:",
		"/debug/pprof/profile?seconds=1": "",
	} {
		got := profiles.get(t, path)
		if got.status != http.StatusOK || !strings.HasPrefix(got.body, want) || got.body == "" {
			t.Errorf("%s: %d %.200s", path, got.status, got.body)
		}
		refused(t, "the API's "+path, s.get(t, path), http.StatusNotFound, "not_found")
	}
	for _, path := range []string{"/debug/pprof/cmdline", "/v1/models", "/metrics"} {
		if got := profiles.get(t, path); got.status != http.StatusNotFound {
			t.Errorf("%s at the address of profiles: %d", path, got.status)
		}
	}
}
