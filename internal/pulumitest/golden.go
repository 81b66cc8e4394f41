package pulumitest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files under testdata instead of comparing with them")

// Golden compares the recording with testdata/<name>.yaml next to the test. `go test -update` writes the
// file.
func (r *Recording) Golden(t testing.TB, name string) {
	t.Helper()
	var got bytes.Buffer
	for _, recorded := range r.Resources {
		document, err := yaml.Marshal(recorded)
		if err != nil {
			t.Fatalf("encode %s %s: %v", recorded.Type, recorded.Name, err)
		}
		got.WriteString("---\n")
		got.Write(document)
	}
	compare(t, filepath.Join("testdata", name+".yaml"), got.Bytes())
}

func compare(t testing.TB, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatalf("make folder of golden file: %v", err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatalf("write golden file: %v", err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read golden file (run `make golden` to create it): %v", err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s differs (run `make golden` and review the diff):\n%s", path, firstDifference(want, got))
	}
}

// firstDifference shows the first line in which two texts differ, with the lines around it.
func firstDifference(want, got []byte) string {
	wantLines, gotLines := bytes.Split(want, []byte("\n")), bytes.Split(got, []byte("\n"))
	line := 0
	for line < min(len(wantLines), len(gotLines)) && bytes.Equal(wantLines[line], gotLines[line]) {
		line++
	}
	excerpt := func(lines [][]byte) []byte {
		return bytes.Join(lines[min(max(0, line-3), len(lines)):min(line+4, len(lines))], []byte("\n"))
	}
	return "want:\n" + string(excerpt(wantLines)) + "\ngot:\n" + string(excerpt(gotLines))
}
