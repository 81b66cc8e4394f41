package images

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestEntrypointIsInTheImage(t *testing.T) {
	checked := 0
	for _, img := range All() {
		var files []string
		switch recipe := img.recipe.(type) {
		case binary:
			files = append(files, "/"+recipe.path)
			for link := range recipe.links {
				files = append(files, "/"+link)
			}
		case withTmp:
			files = append(files, "/"+recipe.path)
		case wheel:
			files = append(files, "/"+recipe.binary.path)
		case binaries:
			for _, b := range recipe {
				files = append(files, "/"+b.path)
			}
		default:
			continue
		}
		command := slices.Concat(img.Config.Entrypoint, img.Config.Cmd)[0]
		if filepath.IsAbs(command) && !slices.Contains(files, command) {
			t.Errorf("%s starts %s, but holds only %v", img.Name, command, files)
		}
		checked++
	}
	if checked == 0 {
		t.Error("no image of binaries was checked")
	}
}

func TestBinaries(t *testing.T) {
	sources := tree(t, map[string]string{"server": "one", "tool": "two"}, longAgo)
	opts := Options{Binary: func(name string) (string, error) { return filepath.Join(sources, name), nil }}
	recipe := binaries{{name: "server", path: "bin/server"}, {name: "tool", path: "bin/tool"}}
	before, err := recipe.inputs(t.Context(), opts)
	must(t, err)

	root := t.TempDir()
	must(t, recipe.fill(t.Context(), root, opts))
	for name, want := range map[string]string{"bin/server": "one", "bin/tool": "two"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		must(t, err)
		info, err := os.Stat(filepath.Join(root, name))
		must(t, err)
		if string(content) != want || info.Mode().Perm() != 0o755 {
			t.Errorf("%s holds %q with mode %s", name, content, info.Mode())
		}
	}

	put(t, sources, "tool", "three", longAgo)
	after, err := recipe.inputs(t.Context(), opts)
	must(t, err)
	if slices.Equal(before, after) {
		t.Error("another second binary gives the same inputs: the image would not be made anew")
	}
}
