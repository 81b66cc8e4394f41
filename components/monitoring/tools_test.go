package monitoring

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// tool returns the path of a program that `make deps` builds.
func tool(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("AGENTSTACK_TOOLS")
	if dir == "" {
		t.Fatalf("AGENTSTACK_TOOLS is not set: it names the folder with %s; run the tests by make", name)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not in AGENTSTACK_TOOLS: run make deps (%v)", name, err)
	}
	return path
}

// accepts runs a tool that checks files, and fails the test with what it says if it does not accept them.
func accepts(t testing.TB, name string, args ...string) {
	t.Helper()
	if output, err := exec.Command(tool(t, name), args...).CombinedOutput(); err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, output)
	}
}

// refuses is the opposite of accepts.
func refuses(t testing.TB, name string, args ...string) {
	t.Helper()
	if output, err := exec.Command(tool(t, name), args...).CombinedOutput(); err == nil {
		t.Errorf("%s %v accepts it\n%s", name, args, output)
	}
}

// write puts files into a temporary folder and returns it.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
