package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// testNPMClient runs OpenAI's package from npm against the server.
func testNPMClient(t *testing.T, _ *environment, s *server) {
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Join("testdata", "openai"))); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline"},
		{"node", "client.mjs"},
	} {
		run := exec.CommandContext(t.Context(), command[0], command[1:]...)
		run.Dir = folder
		run.Env = append(os.Environ(), "OPENAI_BASE_URL="+s.url+"/v1", "OPENAI_API_KEY="+s.key(t))
		output, err := run.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v (run make deps if a program is missing)\n%s", strings.Join(command, " "), err, output)
		}
	}
}
