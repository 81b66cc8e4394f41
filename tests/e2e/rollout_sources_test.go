//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// appFiles changes files of app/, of which images are built, and gives them back. Of a test that is killed,
// `git status` tells what it left.
type appFiles struct {
	before map[string][]byte // by path; nil: there was no such file
}

// newImage makes the image of the API another one, that of the model server not.
func (s *appFiles) newImage(t *testing.T) {
	t.Helper()
	s.write(t, "cmd/agentd/e2e_image.go", fmt.Sprintf(`package main

import "log/slog"

// Made by tests/e2e, which removes it. At this level nothing is logged.
func init() { slog.Debug("image %d") }
`, time.Now().UnixNano()))
}

// slowImage is an image that thinks before it answers: p95 is more than three times as long, and nothing fails.
func (s *appFiles) slowImage(t *testing.T) {
	t.Helper()
	s.write(t, "internal/http/e2e_late.go", `package http

import (
	"net/http"
	"strings"
	"time"
)

// Made by tests/e2e, which removes it.
func late(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			time.Sleep(500 * time.Millisecond)
		}
		next.ServeHTTP(w, r)
	})
}
`)
	const server, chain = "internal/http/server.go", "s.observe(s.recover(s.unmatched(s.mux)))"
	content, err := os.ReadFile(appPath(server))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(content), chain) != 1 {
		t.Fatalf("%s has no %s: tell this test where requests come in", server, chain)
	}
	s.write(t, server, strings.Replace(string(content), chain, "s.observe(late(s.recover(s.unmatched(s.mux))))", 1))
}

func (s *appFiles) write(t *testing.T, path, content string) {
	t.Helper()
	if s.before == nil {
		s.before = map[string][]byte{}
	}
	if _, known := s.before[path]; !known {
		before, err := os.ReadFile(appPath(path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		s.before[path] = before
	}
	if err := os.WriteFile(appPath(path), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// restore gives back what was changed. It may be called twice.
func (s *appFiles) restore(t *testing.T) {
	t.Helper()
	for path, content := range s.before {
		err := os.WriteFile(appPath(path), content, 0o600)
		if content == nil {
			err = os.Remove(appPath(path))
		}
		if err != nil {
			t.Error(err)
		}
	}
	s.before = nil
}

// appPath is that of a file below app/. Tests run in their package's folder.
func appPath(path string) string { return filepath.Join("..", "..", "app", path) }
