package engine

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func put(t *testing.T, folder, name, content string) {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func digestOf(t *testing.T, folder string) string {
	t.Helper()
	digest, err := ContextDigest(t.Context(), folder, filepath.Join(folder, "build/Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestContextDigest(t *testing.T) {
	cases := map[string]struct {
		change  func(t *testing.T, folder string)
		differs bool
	}{
		"nothing":      {func(*testing.T, string) {}, false},
		"content":      {func(t *testing.T, folder string) { put(t, folder, "main.go", "B") }, true},
		"Dockerfile":   {func(t *testing.T, folder string) { put(t, folder, "build/Dockerfile", "B") }, true},
		"new file":     {func(t *testing.T, folder string) { put(t, folder, "new.go", "A") }, true},
		"ignored":      {func(t *testing.T, folder string) { put(t, folder, "tmp/x", "B") }, false},
		"not ignored":  {func(t *testing.T, folder string) { put(t, folder, "tmp/keep", "B") }, true},
		"ignore rules": {func(t *testing.T, folder string) { put(t, folder, ".dockerignore", "") }, true},
		"ignore rules of the Dockerfile": {
			func(t *testing.T, folder string) { put(t, folder, "build/Dockerfile.dockerignore", "tmp") }, true,
		},
		"mode": {func(t *testing.T, folder string) {
			if err := os.Chmod(filepath.Join(folder, "main.go"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, true},
		"time": {func(t *testing.T, folder string) {
			if err := os.Chtimes(filepath.Join(folder, "main.go"), time.Time{}, time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
		}, false},
		"name": {func(t *testing.T, folder string) {
			if err := os.Rename(filepath.Join(folder, "main.go"), filepath.Join(folder, "other.go")); err != nil {
				t.Fatal(err)
			}
		}, true},
		"link": {func(t *testing.T, folder string) {
			if err := os.Remove(filepath.Join(folder, "link")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("main.go", filepath.Join(folder, "link")); err != nil {
				t.Fatal(err)
			}
		}, true},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			put(t, folder, "build/Dockerfile", "A")
			put(t, folder, "main.go", "A")
			put(t, folder, "tmp/x", "A")
			put(t, folder, "tmp/keep", "A")
			put(t, folder, ".dockerignore", "tmp/*\n!tmp/keep\n")
			if err := os.Symlink("nowhere", filepath.Join(folder, "link")); err != nil {
				t.Fatal(err)
			}
			before := digestOf(t, folder)
			test.change(t, folder)
			if differs := digestOf(t, folder) != before; differs != test.differs {
				t.Errorf("digest differs: %t, want %t", differs, test.differs)
			}
		})
	}
}

func TestRegistryOf(t *testing.T) {
	for image, want := range map[string]string{
		"docker.io/team/api:1": "docker.io", "10.200.0.2:5000/api": "10.200.0.2:5000", "api:1": "", "team/api": "",
	} {
		got, err := RegistryOf(image)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("RegistryOf(%q) = %q, %v; want %q", image, got, err, want)
		}
	}
}

func TestServerKey(t *testing.T) {
	for server, want := range map[string]string{
		"r.test:5000":                 "r.test:5000",
		"https://r.test/v2/":          "r.test",
		"docker.io":                   "https://index.docker.io/v1/",
		"https://index.docker.io/v1/": "https://index.docker.io/v1/",
		"registry-1.docker.io":        "https://index.docker.io/v1/",
	} {
		if got := serverKey(server); got != want {
			t.Errorf("serverKey(%q) = %q, want %q", server, got, want)
		}
	}
}
