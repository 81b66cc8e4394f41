package images

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// fake is a recipe that writes one file and counts.
type fake struct {
	content  string
	filled   *atomic.Int32
	checkErr error
}

func (f fake) inputs(context.Context, Options) ([]string, error) { return []string{f.content}, nil }

func (f fake) fill(_ context.Context, root string, _ Options) error {
	f.filled.Add(1)
	return os.WriteFile(filepath.Join(root, "file"), []byte(f.content), 0o644)
}

func (f fake) check(context.Context, string, Options) error { return f.checkErr }

func fakeImage(content string) (Image, *atomic.Int32) {
	filled := &atomic.Int32{}
	return Image{
		Name: "fake", Config: v1.Config{User: "1"}, recipe: fake{content: content, filled: filled},
	}, filled
}

func TestBuildOnce(t *testing.T) {
	img, filled := fakeImage("one")
	opts := Options{Cache: t.TempDir()}
	var group sync.WaitGroup
	paths := make([]string, 4)
	for i := range paths {
		group.Go(func() {
			path, err := Build(t.Context(), img, opts)
			if err != nil {
				t.Error(err)
			}
			paths[i] = path
		})
	}
	group.Wait()
	if filled.Load() != 1 {
		t.Errorf("four builds of one image filled %d roots, want 1", filled.Load())
	}
	other, _ := fakeImage("two")
	path, err := Build(t.Context(), other, opts)
	must(t, err)
	if path == paths[0] || paths[0] != paths[3] {
		t.Errorf("paths %v and %s: want the same for one definition, another for another", paths, path)
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	img, _ := fakeImage("one")
	broken := img
	broken.recipe = fake{content: "one", filled: &atomic.Int32{}, checkErr: errors.New("does not run")}
	opts := Options{Cache: t.TempDir()}
	leftover := filepath.Join(opts.dir("fake"), workPrefix+"123", "root")
	must(t, os.MkdirAll(leftover, 0o755))
	_, err := Build(t.Context(), broken, opts)
	if err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Fatalf("build of a broken image says %v", err)
	}
	entries, err := os.ReadDir(opts.dir("fake"))
	must(t, err)
	if len(entries) != 1 || entries[0].Name() != ".lock" {
		t.Errorf("a failed build left %v, want only the lock", entries)
	}
	_, err = Build(t.Context(), img, opts)
	must(t, err)
}

func TestOldLayoutsAreRemoved(t *testing.T) {
	opts := Options{Cache: t.TempDir()}
	var newest string
	for _, content := range []string{"one", "two", "three", "four", "five"} {
		img, _ := fakeImage(content)
		var err error
		newest, err = Build(t.Context(), img, opts)
		must(t, err)
	}
	layouts, err := filepath.Glob(filepath.Join(opts.dir("fake"), "*", "index.json"))
	must(t, err)
	if len(layouts) != keptLayouts || !exists(newest) {
		t.Errorf("the cache holds %d layouts, want the %d newest; the last one is there: %t",
			len(layouts), keptLayouts, exists(newest))
	}
}

func TestPush(t *testing.T) {
	var sent atomic.Int32
	mirror := registry.New()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			sent.Add(1)
		}
		mirror.ServeHTTP(w, r)
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	img, _ := fakeImage("one")
	path, err := Build(t.Context(), img, Options{Cache: t.TempDir()})
	must(t, err)
	must(t, Push(t.Context(), path, "docker.io/library/fake:1.2", address))
	if sent.Load() == 0 {
		t.Fatal("the first push sent no blob")
	}
	sent.Store(0)
	must(t, Push(t.Context(), path, "docker.io/library/fake:1.2", address))
	if sent.Load() != 0 {
		t.Errorf("a second push sent %d blobs again", sent.Load())
	}

	ref, err := name.ParseReference(address+"/library/fake:1.2", name.Insecure)
	must(t, err)
	pulled, err := remote.Image(ref)
	must(t, err)
	built, err := Open(path)
	must(t, err)
	want, err := built.Digest()
	must(t, err)
	if got, err := pulled.Digest(); err != nil || got != want {
		t.Errorf("pulled %s, %v; built %s", got, err, want)
	}
	config, err := pulled.ConfigFile()
	must(t, err)
	if config.Config.User != "1" || config.Architecture != "amd64" {
		t.Errorf("pulled configuration is %+v", config)
	}
}
