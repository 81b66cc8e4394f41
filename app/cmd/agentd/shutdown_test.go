package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestShutdownFinishesStreams(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	s := e.start(t, map[string]string{"SHUTDOWN_DELAY": "1s"})
	s.waitReady(t)
	stream := s.openStream(t, prompt("mock-slow", strings.Repeat("word ", 20), true), "drain-1")
	stream.skipTo(`"You "`)
	s.terminate()
	eventually(t, "draining", func() bool { return strings.Contains(s.get(t, "/ready").body, "draining") })
	if got := s.get(t, "/ready"); got.status != http.StatusServiceUnavailable {
		t.Errorf("/ready: %d", got.status)
	}
	if got := s.get(t, "/livez"); got.status != http.StatusOK || !got.closes {
		t.Errorf("/livez: %d, connection closed: %t", got.status, got.closes)
	}
	if got := s.chat(t, prompt("m", "still served", false)); got.status != http.StatusOK {
		t.Errorf("chat within the delay: %d %s", got.status, got.body)
	}
	stream.skipTo("[DONE]")
	if code := s.wait(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if row := e.stored(t, "drain-1"); row.Status != "completed" {
		t.Errorf("row: %+v", row)
	}
}

func TestShutdownEndsWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	s := e.start(t, map[string]string{"SHUTDOWN_TIMEOUT": "200ms"})
	s.waitReady(t)
	stream := s.openStream(t, prompt("mock-hang", "for ever", true), "late-1")
	stream.skipTo(`"You "`)
	s.terminate()
	all := stream.all()
	if len(all) == 0 {
		t.Fatal("the stream ended without an error event")
	}
	if _, code, _ := apiErrorOf(t, all[len(all)-1]); code != "shutting_down" {
		t.Errorf("the last event is %s", all[len(all)-1])
	}
	if code := s.wait(t); code != exitFailure {
		t.Errorf("exit code %d, want %d", code, exitFailure)
	}
	row := e.stored(t, "late-1")
	if row.Status != "failed" || row.Response != "You " || !strings.Contains(row.Error, "shutting down") {
		t.Errorf("row: %+v", row)
	}
}
