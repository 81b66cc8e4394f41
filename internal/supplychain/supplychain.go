// Package supplychain puts a signature and a bill of materials of an image beside it in its registry, in the way of
// cosign, so that cosign and what builds on it can check them: see docs/supply-chain.md.
package supplychain

import (
	"context"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// timeout is for all that Attach does, on a slow way to the registry too: it reads the image once.
const timeout = 5 * time.Minute

// platform is what images are built for. Of an image for several, its bill of materials lists this one.
var platform = v1.Platform{OS: "linux", Architecture: "amd64"}

// Image is an image in its registry.
type Image struct {
	// Reference names it by digest: registry.example.com/ai-agent-api@sha256:…
	Reference string
	// Username and Password log in to the registry. Default: the credentials of the Docker client.
	Username, Password string
}

// Attach makes sure that the image has a signature and a signed bill of materials of this key. It pushes those that are
// missing or do not verify, and nothing where both are there. What others attached stays.
func Attach(ctx context.Context, image Image, key Key) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	digest, err := name.NewDigest(image.Reference)
	if err != nil {
		return fmt.Errorf("sign image: %w", err)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithPlatform(platform)}
	if image.Username == "" {
		options = append(options, remote.WithAuthFromKeychain(authn.DefaultKeychain))
	} else {
		options = append(options, remote.WithAuth(&authn.Basic{Username: image.Username, Password: image.Password}))
	}
	beside := neighbours{image: digest, options: options}
	// The signature comes last: who finds one finds the bill of materials too.
	for _, what := range []attachment{
		attestation{key: key, image: digest, document: beside.billOfMaterials},
		signature{key: key, image: digest},
	} {
		if err := beside.ensure(ctx, what); err != nil {
			return fmt.Errorf("attach %s of image %s: %w", what, image.Reference, err)
		}
	}
	return nil
}
