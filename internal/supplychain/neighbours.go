package supplychain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// maxAttachment is the most bytes that are read of a layer that somebody attached.
const maxAttachment = 32 << 20

// attachment is something that lies beside an image: a layer of an image of its own, whose tag is made from the digest.
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#tag-based-discovery
type attachment interface {
	fmt.Stringer
	// suffix is the end of the tag.
	suffix() string
	mediaType() types.MediaType
	// make returns a layer's content and annotations.
	make(ctx context.Context) ([]byte, map[string]string, error)
	// verify returns nil for a layer that make made, with the same key and for the same image.
	verify(ctx context.Context, content []byte, annotations map[string]string) error
}

// neighbours are the attachments of one image.
type neighbours struct {
	image   name.Digest
	options []remote.Option
}

// ensure pushes the attachment unless there is one that verifies.
func (n neighbours) ensure(ctx context.Context, what attachment) error {
	tag := n.image.Context().Tag(strings.Replace(n.image.DigestStr(), ":", "-", 1) + "." + what.suffix())
	existing, err := n.existing(tag)
	if err != nil {
		return err
	}
	found, err := verified(ctx, existing, what)
	if err != nil || found {
		return err
	}
	content, annotations, err := what.make(ctx)
	if err != nil {
		return err
	}
	image, err := mutate.Append(existing, mutate.Addendum{
		Layer: static.NewLayer(content, what.mediaType()), Annotations: annotations,
	})
	if err != nil {
		return fmt.Errorf("add layer: %w", err)
	}
	if err := remote.Write(tag, image, n.options...); err != nil {
		return fmt.Errorf("push %s: %w", tag, err)
	}
	return nil
}

// existing returns the image of a tag, which is one without layers where there is none yet.
func (n neighbours) existing(tag name.Tag) (v1.Image, error) {
	image, err := remote.Image(tag, n.options...)
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", tag, err)
	}
	return image, nil
}

// verified reports whether a layer of the image verifies. What does not is somebody else's, or has been tampered with;
// either way it does not stand in for ours.
func verified(ctx context.Context, image v1.Image, what attachment) (bool, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return false, fmt.Errorf("read manifest: %w", err)
	}
	for _, described := range manifest.Layers {
		if described.MediaType != what.mediaType() || described.Size > maxAttachment {
			continue
		}
		content, err := read(image, described.Digest)
		if err != nil {
			return false, fmt.Errorf("read layer %s: %w", described.Digest, err)
		}
		if what.verify(ctx, content, described.Annotations) == nil {
			return true, nil
		}
	}
	return false, nil
}

func read(image v1.Image, digest v1.Hash) ([]byte, error) {
	layer, err := image.LayerByDigest(digest)
	if err != nil {
		return nil, err
	}
	stream, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	return io.ReadAll(stream)
}
