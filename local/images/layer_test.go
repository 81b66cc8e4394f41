package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// longAgo is when the files of a base layer were made.
var longAgo = time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)

// tree makes a root of files with contents, and directories where the content is "/".
func tree(t *testing.T, files map[string]string, modified time.Time) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		put(t, root, name, files[name], modified)
	}
	return root
}

func put(t *testing.T, root, name, content string, modified time.Time) {
	t.Helper()
	path := filepath.Join(root, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	if content == "/" {
		must(t, os.MkdirAll(path, 0o755))
	} else {
		must(t, os.WriteFile(path, []byte(content), 0o644))
	}
	must(t, os.Chtimes(path, modified, modified))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func packed(t *testing.T, root string, below map[string]*tar.Header, made time.Time) []byte {
	t.Helper()
	var out bytes.Buffer
	must(t, writeLayer(&out, root, below, made))
	return out.Bytes()
}

// contents maps the paths of a layer to contents, link targets or "/".
func contents(t *testing.T, layer []byte) map[string]string {
	t.Helper()
	found := map[string]string{}
	for in := tar.NewReader(bytes.NewReader(layer)); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		must(t, err)
		body, err := io.ReadAll(in)
		must(t, err)
		switch header.Typeflag {
		case tar.TypeDir:
			found[header.Name] = "/"
		case tar.TypeLink:
			found[header.Name] = "hard link to " + header.Linkname
		case tar.TypeSymlink:
			found[header.Name] = "link to " + header.Linkname
		default:
			found[header.Name] = string(body)
		}
	}
}

func TestDeltaLayer(t *testing.T) {
	cases := map[string]struct {
		change func(t *testing.T, root string)
		want   map[string]string
	}{
		"nothing changed": {func(*testing.T, string) {}, map[string]string{}},
		"file added": {
			func(t *testing.T, root string) { put(t, root, "etc/new", "new", time.Now()) },
			map[string]string{"etc/new": "new"},
		},
		"file changed, same size": {
			func(t *testing.T, root string) { put(t, root, "etc/a", "B", time.Now()) },
			map[string]string{"etc/a": "B"},
		},
		"mode changed": {
			func(t *testing.T, root string) { must(t, os.Chmod(filepath.Join(root, "etc/a"), 0o600)) },
			map[string]string{"etc/a": "A"},
		},
		"file removed": {
			func(t *testing.T, root string) { must(t, os.Remove(filepath.Join(root, "etc/a"))) },
			map[string]string{"etc/.wh.a": ""},
		},
		"directory removed with its files": {
			func(t *testing.T, root string) { must(t, os.RemoveAll(filepath.Join(root, "usr"))) },
			map[string]string{".wh.usr": ""},
		},
		"file became a link": {
			func(t *testing.T, root string) {
				must(t, os.Remove(filepath.Join(root, "etc/a")))
				must(t, os.Symlink("b", filepath.Join(root, "etc/a")))
			},
			map[string]string{"etc/a": "link to b"},
		},
		"two names of a new file": {
			func(t *testing.T, root string) {
				put(t, root, "opt/x", "X", time.Now())
				must(t, os.Link(filepath.Join(root, "opt/x"), filepath.Join(root, "opt/y")))
			},
			map[string]string{"opt/": "/", "opt/x": "X", "opt/y": "hard link to opt/x"},
		},
		"what the runtime provides": {
			func(t *testing.T, root string) {
				put(t, root, "etc/resolv.conf", "nameserver 192.0.2.1", time.Now())
				put(t, root, "dev/thing", "x", time.Now())
			},
			map[string]string{},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			root := tree(t, map[string]string{"etc/a": "A", "usr/share/b": "B", "dev": "/"}, longAgo)
			below, err := readHeaders(bytes.NewReader(packed(t, root, nil, time.Now())))
			must(t, err)
			test.change(t, root)
			got := contents(t, packed(t, root, below, longAgo))
			if !maps.Equal(got, test.want) {
				t.Errorf("layer holds %v, want %v", got, test.want)
			}
		})
	}
}

func TestLayerIsReproducible(t *testing.T) {
	files := map[string]string{"bin/tool": "tool", "etc/conf": "conf"}
	first := tree(t, files, time.Now().Add(time.Hour))
	second := tree(t, files, time.Now().Add(2*time.Hour))
	made := time.Now().Add(-time.Minute)
	if !bytes.Equal(packed(t, first, nil, made), packed(t, second, nil, made)) {
		t.Error("the same files made at two times give different layers")
	}
	old := tree(t, files, longAgo)
	headers, err := readHeaders(bytes.NewReader(packed(t, old, nil, made)))
	must(t, err)
	if got := headers["etc/conf"].ModTime; !got.Equal(longAgo) {
		t.Errorf("a file that was there before the build has time %s, want its own, %s", got, longAgo)
	}
}
