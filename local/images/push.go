package images

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Open returns the one image of the OCI layout at layoutPath.
func Open(layoutPath string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(layoutPath)
	if err != nil {
		return nil, fmt.Errorf("open layout %s: %w", layoutPath, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("read layout %s: %w", layoutPath, err)
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("layout %s has %d images, want 1", layoutPath, len(manifest.Manifests))
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return nil, fmt.Errorf("read layout %s: %w", layoutPath, err)
	}
	return image, nil
}

// Push writes the image at layoutPath to the registry at registryAddr (host:port, plain HTTP), where a
// mirror of ref's own registry looks for it: docker.io/library/redis:8.2.10 becomes
// <registryAddr>/library/redis:8.2.10. Blobs that the registry has are not sent again.
func Push(ctx context.Context, layoutPath, ref, registryAddr string) error {
	image, err := Open(layoutPath)
	if err != nil {
		return err
	}
	target, err := mirrored(ref, registryAddr)
	if err != nil {
		return err
	}
	if err := remote.Write(target, image, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("push %s: %w", target, err)
	}
	return nil
}

func mirrored(ref, registryAddr string) (name.Tag, error) {
	upstream, err := name.NewTag(ref, name.StrictValidation)
	if err != nil {
		return name.Tag{}, fmt.Errorf("parse image name: %w", err)
	}
	registry, err := name.NewRegistry(registryAddr, name.Insecure)
	if err != nil {
		return name.Tag{}, fmt.Errorf("parse registry address: %w", err)
	}
	return registry.Repo(upstream.RepositoryStr()).Tag(upstream.TagStr()), nil
}
