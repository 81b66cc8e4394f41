package supplychain

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	payloadType         = "cosign container image signature"
	signatureAnnotation = "dev.cosignproject.cosign/signature"
)

// payload is what is signed. https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#simple-signing
type payload struct {
	Critical struct {
		Identity struct {
			Reference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
	Optional map[string]any `json:"optional"`
}

// signature is the signature of an image.
type signature struct {
	key   Key
	image name.Digest
}

func (signature) String() string { return "signature" }
func (signature) suffix() string { return "sig" }
func (signature) mediaType() types.MediaType {
	return "application/vnd.dev.cosign.simplesigning.v1+json"
}

func (s signature) make(ctx context.Context) ([]byte, map[string]string, error) {
	var signed payload
	signed.Critical.Identity.Reference = s.image.Context().Name()
	signed.Critical.Image.Digest = s.image.DigestStr()
	signed.Critical.Type = payloadType
	content, err := json.Marshal(signed)
	if err != nil {
		return nil, nil, fmt.Errorf("encode payload: %w", err)
	}
	sum, err := s.key.Sign(ctx, content)
	if err != nil {
		return nil, nil, fmt.Errorf("sign payload: %w", err)
	}
	return content, map[string]string{signatureAnnotation: base64.StdEncoding.EncodeToString(sum)}, nil
}

func (s signature) verify(ctx context.Context, content []byte, annotations map[string]string) error {
	sum, err := base64.StdEncoding.DecodeString(annotations[signatureAnnotation])
	if err != nil {
		return fmt.Errorf("decode signature: %w", err)
	}
	if err := s.key.Verify(ctx, content, sum); err != nil {
		return err
	}
	var signed payload
	if err := json.Unmarshal(content, &signed); err != nil {
		return fmt.Errorf("decode payload: %w", err)
	}
	if signed.Critical.Type != payloadType || signed.Critical.Image.Digest != s.image.DigestStr() {
		return errors.New("the signature is of something else")
	}
	return nil
}
