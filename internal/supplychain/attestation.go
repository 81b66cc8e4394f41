package supplychain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// Types of what is attested. https://github.com/in-toto/attestation/blob/main/spec/predicates/spdx.md
const (
	inTotoType    = "application/vnd.in-toto+json"
	statementType = "https://in-toto.io/Statement/v0.1"
	documentType  = "https://spdx.dev/Document"
)

// statement ties a document to an image.
type statement struct {
	Type          string          `json:"_type"`
	PredicateType string          `json:"predicateType"`
	Subject       []subject       `json:"subject"`
	Predicate     json.RawMessage `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// attestation is a bill of materials of an image, signed.
type attestation struct {
	key   Key
	image name.Digest
	// document returns the bill of materials in JSON.
	document func() ([]byte, error)
}

func (attestation) String() string             { return "bill of materials" }
func (attestation) suffix() string             { return "att" }
func (attestation) mediaType() types.MediaType { return "application/vnd.dsse.envelope.v1+json" }

func (a attestation) make(ctx context.Context) ([]byte, map[string]string, error) {
	document, err := a.document()
	if err != nil {
		return nil, nil, err
	}
	content, err := json.Marshal(statement{
		Type:          statementType,
		PredicateType: documentType,
		Subject:       []subject{{Name: a.image.Context().Name(), Digest: map[string]string{"sha256": a.sha256()}}},
		Predicate:     document,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("encode statement: %w", err)
	}
	signer, err := dsse.NewEnvelopeSigner(a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("make signer: %w", err)
	}
	envelope, err := signer.SignPayload(ctx, inTotoType, content)
	if err != nil {
		return nil, nil, fmt.Errorf("sign statement: %w", err)
	}
	sealed, err := json.Marshal(envelope)
	if err != nil {
		return nil, nil, fmt.Errorf("encode envelope: %w", err)
	}
	// cosign wants the annotation of a signature, which is in the envelope.
	return sealed, map[string]string{signatureAnnotation: "", "predicateType": documentType}, nil
}

func (a attestation) verify(ctx context.Context, content []byte, _ map[string]string) error {
	var envelope dsse.Envelope
	if err := json.Unmarshal(content, &envelope); err != nil {
		return fmt.Errorf("decode envelope: %w", err)
	}
	verifier, err := dsse.NewEnvelopeVerifier(a.key)
	if err != nil {
		return fmt.Errorf("make verifier: %w", err)
	}
	_, body, err := verifier.VerifyAndDecode(ctx, &envelope)
	if err != nil {
		return fmt.Errorf("verify envelope: %w", err)
	}
	var attested statement
	if err := json.Unmarshal(body, &attested); err != nil {
		return fmt.Errorf("decode statement: %w", err)
	}
	ours := envelope.PayloadType == inTotoType && attested.PredicateType == documentType &&
		len(attested.Subject) == 1 && attested.Subject[0].Digest["sha256"] == a.sha256()
	if !ours {
		return errors.New("the attestation is of something else")
	}
	return nil
}

func (a attestation) sha256() string { return strings.TrimPrefix(a.image.DigestStr(), "sha256:") }
