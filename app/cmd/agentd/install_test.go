package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestInstall(t *testing.T) {
	folder := t.TempDir()
	for range 2 { // the second time over the first copy
		var output buffer
		p := process{lookup(nil), &output, &output}
		if code := p.run(t.Context(), []string{"install", folder}); code != exitOK {
			t.Fatalf("exit code %d: %s", code, output.String())
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 1 || files[0].Name() != "agentd" {
		t.Fatalf("folder: %v, %v", files, err)
	}
	info, err := files[0].Info()
	if err != nil || info.Mode() != 0o755 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	want, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(folder, "agentd")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the copy differs: %v", err)
	}
	var output buffer
	gone := process{lookup(nil), &output, &output}
	if code := gone.run(t.Context(), []string{"install", filepath.Join(folder, "gone")}); code != exitFailure {
		t.Errorf("no folder: exit code %d", code)
	}
}
