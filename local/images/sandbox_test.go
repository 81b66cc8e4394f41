package images

import (
	"os"
	"strings"
	"testing"
)

func TestContained(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("images are made as root: run their tests as root")
	}
	folder := t.TempDir()
	script := `mount -t tmpfs none "$1" && touch "$1/inside" && test "$$" = 1 && ls "$1"`
	out, err := contained(t.Context(), "/proc", "sh", "-c", script, "sh", folder)
	must(t, err)
	if strings.TrimSpace(out) != "inside" {
		t.Errorf("the command printed %q", out)
	}
	entries, err := os.ReadDir(folder)
	must(t, err)
	mounts, err := os.ReadFile("/proc/self/mounts")
	must(t, err)
	if len(entries) > 0 || strings.Contains(string(mounts), folder) {
		t.Errorf("the mount is visible outside: %v", entries)
	}
}

func TestContainedQuotesOutput(t *testing.T) {
	_, err := contained(t.Context(), "/proc", "sh", "-c", "seq 1 100; echo E: no such package >&2; exit 7")
	if err == nil || !strings.Contains(err.Error(), "E: no such package") ||
		!strings.Contains(err.Error(), "exit status 7") || strings.Contains(err.Error(), "\n50\n") {
		t.Errorf("a failed command gives %v", err)
	}
}
