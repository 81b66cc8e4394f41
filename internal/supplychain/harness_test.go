package supplychain

import (
	"archive/tar"
	"bytes"
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	startTimeout = time.Minute
	user         = "builder"
	password     = "correct-horse-battery"
)

// built is when the image of the tests says it was built.
var built = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// binary returns the path of a program of the toolchain.
func binary(t *testing.T, program string) string {
	t.Helper()
	path := filepath.Join(os.Getenv("AGENTSTACK_TOOLS"), program)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("find %s where AGENTSTACK_TOOLS says: %v; `make deps` puts it there", program, err)
	}
	return path
}

// registry is a real registry behind a door, which counts the requests that change something. A locked one asks for
// user and password.
type registry struct {
	address string
	changes atomic.Int32
	locked  atomic.Bool
}

func startRegistry(t *testing.T) *registry {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	behind := listener.Addr().String()
	must(t, listener.Close())
	config := filepath.Join(t.TempDir(), "registry.yaml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, "version: 0.1\nlog: {level: error}\nhttp: {addr: %q, secret: test}\n"+
		"storage: {filesystem: {rootdirectory: %q}}\n", behind, t.TempDir()), 0o600))
	command := exec.CommandContext(t.Context(), binary(t, "registry"), "serve", config)
	must(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()
	})
	r := &registry{}
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: behind})
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		name, word, _ := request.BasicAuth()
		if r.locked.Load() && (name != user || word != password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if request.Method != http.MethodGet && request.Method != http.MethodHead {
			r.changes.Add(1)
		}
		request.Header.Del("Authorization")
		forward.ServeHTTP(w, request)
	}))
	t.Cleanup(door.Close)
	r.address = door.Listener.Addr().String()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(50 * time.Millisecond) {
		response, err := http.Get("http://" + behind + "/v2/")
		if err == nil {
			must(t, response.Body.Close())
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("the registry is not ready after %s: %v", startTimeout, err)
		}
	}
}

// push pushes an image of the given files, one layer each, and returns its reference by digest.
func (r *registry) push(t *testing.T, repository string, content map[string][]byte) string {
	t.Helper()
	image := empty.Image
	for _, path := range []string{"etc/ca.crt", "agentd"} {
		if content[path] == nil {
			continue
		}
		var archive bytes.Buffer
		writer := tar.NewWriter(&archive)
		must(t, writer.WriteHeader(&tar.Header{Name: path, Mode: 0o755, Size: int64(len(content[path]))}))
		_, err := writer.Write(content[path])
		must(t, cmp.Or(err, writer.Close()))
		image, err = mutate.AppendLayers(image, static.NewLayer(archive.Bytes(), types.OCIUncompressedLayer))
		must(t, err)
	}
	image, err := mutate.CreatedAt(image, v1.Time{Time: built})
	must(t, err)
	tag, err := name.NewTag(r.address + "/team/" + repository + ":staging")
	must(t, err)
	must(t, remote.Write(tag, image))
	digest, err := image.Digest()
	must(t, err)
	return tag.Context().Digest(digest.String()).Name()
}

// pushProgram pushes an image with a real Go program in it, the registry, and another file, which differs from
// repository to repository.
func (r *registry) pushProgram(t *testing.T, repository string) string {
	t.Helper()
	program, err := os.ReadFile(binary(t, "registry"))
	must(t, err)
	return r.push(t, repository, map[string][]byte{"agentd": program, "etc/ca.crt": []byte(repository)})
}

func newKey(t *testing.T) Key {
	t.Helper()
	text, err := NewKey()
	must(t, err)
	key, err := ParseKey(text)
	must(t, err)
	return key
}

// attach attaches what must not fail.
func attach(t *testing.T, reference string, key Key) {
	t.Helper()
	must(t, Attach(t.Context(), Image{Reference: reference}, key))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
