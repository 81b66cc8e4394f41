package supplychain

import (
	"archive/tar"
	"bytes"
	"crypto/sha1" // SPDX wants it beside a better one
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// file is a regular file of an image.
type file struct {
	path         string
	sha1, sha256 string
	// program is what Go noted in it when it was linked, nil for anything else than a Go program.
	program *buildinfo.BuildInfo
}

// files returns the files that a container of the image starts with.
func files(image v1.Image) ([]file, error) {
	stream := mutate.Extract(image)
	defer stream.Close()
	var found []file
	for archive := tar.NewReader(stream); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read files of image: %w", err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("read %s of image: %w", header.Name, err)
		}
		old, sum := sha1.Sum(content), sha256.Sum256(content)
		one := file{
			path: path.Join("/", header.Name), sha1: hex.EncodeToString(old[:]), sha256: hex.EncodeToString(sum[:]),
		}
		// The error is that of a file that is no Go program.
		if info, err := buildinfo.Read(bytes.NewReader(content)); err == nil {
			one.program = info
		}
		found = append(found, one)
	}
}
