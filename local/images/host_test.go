package images

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// imageOf makes an image in which each of the programs is a copy of this machine's `true`.
func imageOf(t *testing.T, programs ...string) v1.Image {
	t.Helper()
	program, err := os.ReadFile("/usr/bin/true")
	must(t, err)
	var content bytes.Buffer
	out := tar.NewWriter(&content)
	for _, folder := range []string{"usr/lib/python3", library, "usr/lib64", "usr/share/postgresql"} {
		must(t, out.WriteHeader(&tar.Header{Name: folder + "/", Typeflag: tar.TypeDir, Mode: 0o755}))
	}
	for _, name := range programs {
		must(t, out.WriteHeader(&tar.Header{
			Name: "usr/lib/postgresql/17/bin/" + name, Mode: 0o755, Size: int64(len(program)),
		}))
		_, err := out.Write(program)
		must(t, err)
	}
	must(t, out.Close())
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content.Bytes())), nil
	})
	must(t, err)
	image, err := mutate.AppendLayers(empty.Image, layer)
	must(t, err)
	return image
}

func TestHostFolderAppearsAsAWhole(t *testing.T) {
	opts := Options{Cache: t.TempDir()}
	first, second := filepath.Join(opts.dir("pg"), hostPrefix+"a"), filepath.Join(opts.dir("pg"), hostPrefix+"b")
	left := func() string {
		entries, err := filepath.Glob(filepath.Join(opts.dir("pg"), "[^.]*"))
		must(t, err)
		return strings.Join(entries, " ")
	}

	must(t, unpackOnce(t.Context(), opts, "pg", imageOf(t, hostPrograms...), first))
	if _, err := os.Stat(filepath.Join(first, "usr/lib/python3")); !os.IsNotExist(err) {
		t.Errorf("what tests do not need is unpacked: %v", err)
	}
	if info, err := os.Stat(first); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("others cannot read the folder: %v, %v", info.Mode(), err)
	}
	if got, err := exec.Command("patchelf", "--print-rpath",
		filepath.Join(first, "usr/lib/postgresql/17/bin/postgres")).Output(); err != nil ||
		strings.TrimSpace(string(got)) != filepath.Join(first, library) {
		t.Errorf("libraries are looked for in %q, %v", got, err)
	}
	must(t, unpackOnce(t.Context(), opts, "pg", empty.Image, first)) // it is there, so the image is not looked at

	if err := unpackOnce(t.Context(), opts, "pg", imageOf(t, "initdb"), second); err == nil ||
		!strings.Contains(err.Error(), "find pg_ctl") {
		t.Errorf("an image without pg_ctl gives %v", err)
	}
	if left() != first {
		t.Errorf("after a failure there is %s, want only %s", left(), first)
	}
	must(t, unpackOnce(t.Context(), opts, "pg", imageOf(t, hostPrograms...), second))
	if left() != second {
		t.Errorf("after a changed image there is %s, want only %s", left(), second)
	}
}

// TestPostgreSQLRunsOnThisMachine uses what `make deps` has unpacked, as a user without rights.
func TestPostgreSQLRunsOnThisMachine(t *testing.T) {
	programs, err := filepath.Glob(filepath.Join(os.Getenv("AGENTSTACK_TOOLS"), "postgresql/usr/lib/postgresql/*/bin"))
	if err != nil || len(programs) != 1 {
		t.Fatalf("found PostgreSQL %d times under AGENTSTACK_TOOLS: run make deps (%v)", len(programs), err)
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "agentstack-postgresql-") // t.TempDir is closed to others
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chown(dir, nobody, nobody))
	run := func(input, name string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), filepath.Join(programs[0], name), args...)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(input)
		cmd.Env = []string{"LC_ALL=C"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, output)
		}
		return string(output)
	}
	for _, name := range hostPrograms {
		if got := run("", name, "--version"); !strings.Contains(got, "17.") {
			t.Errorf("%s is %q", name, got)
		}
	}
	run("", "initdb", "--pgdata", dir+"/data", "--no-sync", "--auth", "trust", "--locale", "C")
	got := run("create extension vector\nselect '[1,2,3]'::vector <-> '[1,2,4]'::vector as distance\n",
		"postgres", "--single", "-D", dir+"/data", "-c", "exit_on_error=on", "postgres")
	if !strings.Contains(got, `distance = "1"`) {
		t.Errorf("pgvector answers %s", got)
	}
}
