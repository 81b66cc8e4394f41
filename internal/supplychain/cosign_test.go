package supplychain

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	spdxjson "github.com/spdx/tools-golang/json"
)

// cosignOutput asks the real cosign what it finds: signatures for the suffix sig, bills of materials for att.
func cosignOutput(t *testing.T, suffix, reference string, key Key) ([]byte, error) {
	t.Helper()
	public, err := key.PublicKey()
	must(t, err)
	file := filepath.Join(t.TempDir(), "cosign.pub")
	must(t, os.WriteFile(file, []byte(public), 0o600))
	args := []string{"verify"}
	if suffix == "att" {
		args = []string{"verify-attestation", "--type", "spdxjson"}
	}
	args = append(args, "--key", file, "--insecure-ignore-tlog", "--allow-http-registry", reference)
	command := exec.CommandContext(t.Context(), binary(t, "cosign"), args...)
	command.Env = append(os.Environ(), "HOME="+t.TempDir())
	var reason bytes.Buffer
	command.Stderr = &reason
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, reason.Bytes())
	}
	return output, nil
}

func cosign(t *testing.T, suffix, reference string, key Key) error {
	t.Helper()
	_, err := cosignOutput(t, suffix, reference, key)
	return err
}

func TestCosignVerifies(t *testing.T) {
	r := startRegistry(t)
	reference, key := r.pushProgram(t, "api"), newKey(t)
	if err := cosign(t, "sig", reference, key); err == nil {
		t.Fatal("cosign accepts an image without a signature")
	}
	attach(t, reference, key)
	output, err := cosignOutput(t, "sig", reference, key)
	must(t, err)
	_, digest, _ := strings.Cut(reference, "@")
	if !strings.Contains(string(output), `"docker-manifest-digest":"`+digest+`"`) {
		t.Errorf("cosign verified %s", output)
	}
	output, err = cosignOutput(t, "att", reference, key)
	must(t, err)
	var envelope struct{ Payload []byte }
	must(t, json.Unmarshal(output, &envelope))
	var attested statement
	must(t, json.Unmarshal(envelope.Payload, &attested))
	document, err := spdxjson.Read(bytes.NewReader(attested.Predicate))
	must(t, err)
	if document.DocumentName != reference || len(document.Packages) < 5 {
		t.Errorf("the bill of materials is one of %s with %d packages", document.DocumentName, len(document.Packages))
	}
	for _, suffix := range []string{"sig", "att"} {
		if err := cosign(t, suffix, reference, newKey(t)); err == nil {
			t.Errorf("cosign accepts the %s with another key", suffix)
		}
	}
}

// TestKeysTakeTurns attaches with a new key and looks that what the old one signed is still there.
func TestKeysTakeTurns(t *testing.T) {
	r := startRegistry(t)
	reference, first, second := r.pushProgram(t, "api"), newKey(t), newKey(t)
	attach(t, reference, first)
	attach(t, reference, second)
	for name, key := range map[string]Key{"first": first, "second": second} {
		for _, suffix := range []string{"sig", "att"} {
			if err := cosign(t, suffix, reference, key); err != nil {
				t.Errorf("%s key, %s: %v", name, suffix, err)
			}
		}
	}
}

// damages returns images of attachments that nobody may accept.
func damages(t *testing.T, whole v1.Image) map[string]v1.Image {
	t.Helper()
	manifest, err := whole.Manifest()
	must(t, err)
	layer := manifest.Layers[0]
	read, err := whole.LayerByDigest(layer.Digest)
	must(t, err)
	stream, err := read.Compressed()
	must(t, err)
	content, err := io.ReadAll(stream)
	must(t, err)
	rebuilt := func(content []byte, annotations map[string]string) v1.Image {
		base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, manifest.MediaType), manifest.Config.MediaType)
		image, err := mutate.Append(base, mutate.Addendum{
			Layer: static.NewLayer(content, layer.MediaType), Annotations: annotations,
		})
		must(t, err)
		return image
	}
	// Of an envelope, it is the payload that is flipped, and its base64 form stays one.
	flipped := bytes.Clone(content)
	middle := len(flipped) / 2
	flipped[middle] = map[bool]byte{true: 'B', false: 'A'}[flipped[middle] == 'A']
	unsigned := maps.Clone(layer.Annotations)
	unsigned[signatureAnnotation] = base64.StdEncoding.EncodeToString([]byte("nothing"))
	found := map[string]v1.Image{
		"other content": rebuilt(flipped, layer.Annotations),
		"nothing":       rebuilt([]byte("{}"), unsigned),
	}
	if layer.Annotations[signatureAnnotation] != "" {
		found["other signature"] = rebuilt(content, unsigned)
	}
	return found
}
