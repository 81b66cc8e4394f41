package images

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

const (
	architecture = "amd64"
	// format changes when the same definition must give another image.
	format       = "1"
	versionLabel = "org.opencontainers.image.version"
)

// key names the content: the definition, what it is based on, and every input.
func (img Image) key(ctx context.Context, opts Options, baseKey string) (string, error) {
	inputs, err := img.recipe.inputs(ctx, opts)
	if err != nil {
		return "", err
	}
	definition, err := json.Marshal([]any{
		format, img.Name, img.Package, img.Release, img.Config, baseKey, inputs,
	})
	if err != nil {
		return "", fmt.Errorf("encode definition: %w", err)
	}
	sum := sha256.Sum256(definition)
	return hex.EncodeToString(sum[:8]), nil
}

// assemble fills a root, packs the difference to the base, and checks that what was packed works.
func (img Image) assemble(ctx context.Context, opts Options, basePath, work string) (v1.Image, error) {
	root := filepath.Join(work, "root")
	if err := errors.Join(os.Mkdir(root, 0o755), os.Chmod(root, 0o755)); err != nil {
		return nil, fmt.Errorf("make root: %w", err)
	}
	base, below, err := unpack(ctx, basePath, root)
	if err != nil {
		return nil, err
	}
	made := time.Now().Add(-time.Second)
	if err := img.recipe.fill(ctx, root, opts); err != nil {
		return nil, err
	}
	version, err := img.installed(ctx, root)
	if err != nil {
		return nil, err
	}
	layer, err := packLayer(root, filepath.Join(work, "layer.tar.gz"), below, made)
	if err != nil {
		return nil, err
	}
	if err := img.recipe.check(ctx, root, opts); err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return img.configured(base, layer, version)
}

// unpack extracts the image at layoutPath into root and returns it with the headers of its one layer. No
// path stands for the empty image.
func unpack(ctx context.Context, layoutPath, root string) (v1.Image, map[string]*tar.Header, error) {
	if layoutPath == "" {
		image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
		return mutate.ConfigMediaType(image, types.OCIConfigJSON), nil, nil
	}
	image, err := Open(layoutPath)
	if err != nil {
		return nil, nil, err
	}
	layers, err := image.Layers()
	if err != nil {
		return nil, nil, fmt.Errorf("read layers of base: %w", err)
	}
	if len(layers) != 1 {
		return nil, nil, fmt.Errorf("base has %d layers, want 1", len(layers))
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		return nil, nil, fmt.Errorf("read base: %w", err)
	}
	defer content.Close()
	command := exec.CommandContext(ctx, "tar", "-x", "-p", "--numeric-owner", "-C", root)
	input, err := command.StdinPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start tar: %w", err)
	}
	var problems strings.Builder
	command.Stderr = &problems
	if err := command.Start(); err != nil {
		return nil, nil, fmt.Errorf("start tar: %w", err)
	}
	headers, readErr := readHeaders(io.TeeReader(content, input))
	input.Close()
	if err := command.Wait(); err != nil {
		return nil, nil, fmt.Errorf("unpack base: %w: %s", err, problems.String())
	}
	return image, headers, readErr
}

// installed returns the upstream version of the Debian package that names the image, or "".
func (img Image) installed(ctx context.Context, root string) (string, error) {
	if img.Package == "" {
		return "", nil
	}
	full, err := inRoot(ctx, root, "dpkg-query -W -f '${Version}' "+img.Package)
	if err != nil {
		return "", fmt.Errorf("read version of %s: %w", img.Package, err)
	}
	version := upstreamVersion(full)
	if version != img.Release && !strings.HasPrefix(version, img.Release+".") {
		return "", fmt.Errorf("package %s has version %s in %s, but the image needs %s: change its definition in "+
			"local/images", img.Package, version, suite, img.Release)
	}
	return version, nil
}

// upstreamVersion takes the epoch and the Debian revision off: 5:8.0.2-3+deb13u3 is 8.0.2.
func upstreamVersion(full string) string {
	version := strings.TrimSpace(full)
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest
	}
	version, _, _ = strings.Cut(version, "+deb")
	if end := strings.LastIndex(version, "-"); end >= 0 {
		version = version[:end]
	}
	return version
}

func packLayer(root, file string, below map[string]*tar.Header, made time.Time) (v1.Layer, error) {
	out, err := os.Create(file)
	if err != nil {
		return nil, fmt.Errorf("create layer: %w", err)
	}
	defer out.Close()
	compressed, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("create layer: %w", err)
	}
	if err := writeLayer(compressed, root, below, made); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, fmt.Errorf("write layer: %w", err)
	}
	if err := out.Close(); err != nil {
		return nil, fmt.Errorf("write layer: %w", err)
	}
	layer, err := tarball.LayerFromFile(file, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("read layer: %w", err)
	}
	return layer, nil
}

func (img Image) configured(base v1.Image, layer v1.Layer, version string) (v1.Image, error) {
	image, err := mutate.Append(base, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "agentstack local/images " + img.Name},
	})
	if err != nil {
		return nil, fmt.Errorf("append layer: %w", err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	file = file.DeepCopy()
	file.Architecture, file.OS, file.Created = architecture, "linux", v1.Time{Time: epoch}
	file.Config = img.Config
	if version != "" {
		file.Config.Labels = map[string]string{versionLabel: version}
	}
	if image, err = mutate.ConfigFile(image, file); err != nil {
		return nil, fmt.Errorf("set configuration: %w", err)
	}
	return image, nil
}

func writeLayout(image v1.Image, folder string) error {
	target, err := layout.Write(folder, empty.Index)
	if err != nil {
		return fmt.Errorf("write layout: %w", err)
	}
	if err := target.AppendImage(image); err != nil {
		return fmt.Errorf("write layout: %w", err)
	}
	return nil
}
