package supplychain

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/utils"
)

const (
	// tool names the author of the documents.
	tool        = "agentstack-supplychain-1"
	noAssertion = "NOASSERTION"
)

// billOfMaterials reads the image and returns what it consists of, as an SPDX document in JSON.
func (n neighbours) billOfMaterials() ([]byte, error) {
	image, err := remote.Image(n.image, n.options...)
	if err != nil {
		return nil, fmt.Errorf("read image: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read configuration of image: %w", err)
	}
	layers, err := layerDigests(image)
	if err != nil {
		return nil, err
	}
	content, err := files(image)
	if err != nil {
		return nil, err
	}
	document, err := newDocument(n.image, config.Created.Time, layers, content)
	if err != nil {
		return nil, err
	}
	return json.Marshal(document)
}

func layerDigests(image v1.Image) ([]string, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return nil, fmt.Errorf("read manifest of image: %w", err)
	}
	var digests []string
	for _, layer := range manifest.Layers {
		digests = append(digests, layer.Digest.String())
	}
	return digests, nil
}

// newDocument describes an image by its files and by what its Go programs were made of. It depends on the arguments
// alone. https://spdx.github.io/spdx-spec/v2.3/
func newDocument(image name.Digest, created time.Time, layers []string, content []file) (*spdx.Document, error) {
	d := document{Document: &spdx.Document{
		SPDXVersion:       spdx.Version,
		DataLicense:       spdx.DataLicense,
		SPDXIdentifier:    "DOCUMENT",
		DocumentName:      image.Name(),
		DocumentNamespace: "https://" + image.Context().Name() + "/spdx/" + image.DigestStr(),
		CreationInfo: &spdx.CreationInfo{
			Creators: []spdx.Creator{{CreatorType: "Tool", Creator: tool}},
			Created:  created.UTC().Format(time.RFC3339),
		},
	}}
	slices.SortFunc(content, func(a, b file) int { return cmp.Compare(a.path, b.path) })
	whole := d.addImage(image, layers)
	d.relate("DOCUMENT", spdx.RelationshipDescribes, whole.PackageSPDXIdentifier)
	programs := 0
	for _, one := range content {
		added := d.addFile(one)
		d.relate(whole.PackageSPDXIdentifier, spdx.RelationshipContains, added)
		if one.program != nil {
			programs++
			d.relate(added, spdx.RelationshipGeneratedFrom, d.addProgram(one.program))
		}
	}
	if programs == 0 {
		return nil, errors.New("find programs in image: it has none that Go built, so there is nothing to list")
	}
	code, err := utils.GetVerificationCode(d.Files, "")
	if err != nil {
		return nil, fmt.Errorf("sum up files: %w", err)
	}
	whole.PackageVerificationCode = &code
	slices.SortFunc(d.Packages, func(a, b *spdx.Package) int {
		return cmp.Or(cmp.Compare(a.PackageName, b.PackageName), cmp.Compare(a.PackageVersion, b.PackageVersion))
	})
	return d.Document, nil
}

// document is an SPDX document in the making.
type document struct{ *spdx.Document }

func (d document) relate(from spdx.ElementID, relation string, to spdx.ElementID) {
	relationship := &spdx.Relationship{
		RefA: spdx.DocElementID{ElementRefID: from}, Relationship: relation, RefB: spdx.DocElementID{ElementRefID: to},
	}
	d.Relationships = append(d.Relationships, relationship)
}

func (d document) addFile(one file) spdx.ElementID {
	kinds := []string{"OTHER"}
	if one.program != nil {
		kinds = []string{"BINARY", "APPLICATION"}
	}
	added := &spdx.File{
		FileName:           "." + one.path,
		FileSPDXIdentifier: identifier("File", one.path),
		FileTypes:          kinds,
		Checksums: []spdx.Checksum{
			{Algorithm: spdx.SHA1, Value: one.sha1}, {Algorithm: spdx.SHA256, Value: one.sha256},
		},
		FileCopyrightText: noAssertion,
	}
	d.Files = append(d.Files, added)
	return added.FileSPDXIdentifier
}

// addImage adds the package that is the image itself.
func (d document) addImage(image name.Digest, layers []string) *spdx.Package {
	added := &spdx.Package{
		PackageName:             image.Context().Name(),
		PackageSPDXIdentifier:   "Image",
		PackageVersion:          image.DigestStr(),
		PackageDownloadLocation: noAssertion,
		FilesAnalyzed:           true,
		PackageChecksums: []spdx.Checksum{
			{Algorithm: spdx.SHA256, Value: strings.TrimPrefix(image.DigestStr(), "sha256:")},
		},
		PackageComment:            "Layers: " + strings.Join(layers, ", "),
		PackageExternalReferences: reference(imageURL(image)),
		PrimaryPackagePurpose:     "CONTAINER",
	}
	d.Packages = append(d.Packages, added)
	return added
}
