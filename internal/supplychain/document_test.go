package supplychain

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spdx/tools-golang/spdx"
)

func documentOf(t *testing.T, reference string) []byte {
	t.Helper()
	digest, err := name.NewDigest(reference)
	must(t, err)
	content, err := neighbours{image: digest, options: []remote.Option{remote.WithPlatform(platform)}}.billOfMaterials()
	must(t, err)
	return content
}

func TestDocument(t *testing.T) {
	r := startRegistry(t)
	reference := r.pushProgram(t, "api")
	content := documentOf(t, reference)
	if !bytes.Equal(content, documentOf(t, reference)) {
		t.Error("two documents of one image differ")
	}
	var document spdx.Document
	must(t, json.Unmarshal(content, &document))
	if document.SPDXVersion != "SPDX-2.3" || document.DataLicense != "CC0-1.0" ||
		document.CreationInfo.Created != "2026-11-23T12:00:00Z" ||
		!strings.HasSuffix(document.DocumentNamespace, strings.Split(reference, "@")[1]) {
		t.Errorf("the document begins with %.500s", content)
	}
	info, err := buildinfo.ReadFile(binary(t, "registry"))
	must(t, err)
	versions, urls := map[string]string{}, map[string]string{}
	for _, listed := range document.Packages {
		versions[listed.PackageName], urls[listed.PackageName] = listed.PackageVersion,
			listed.PackageExternalReferences[0].Locator
	}
	if len(info.Deps) < 10 {
		t.Fatalf("the program has only %d dependencies", len(info.Deps))
	}
	for _, module := range info.Deps {
		if versions[module.Path] != module.Version {
			t.Errorf("%s is listed with version %q, want %q", module.Path, versions[module.Path], module.Version)
		}
	}
	// The image, the program's own module and Go.
	if want := len(info.Deps) + 3; len(document.Packages) != want {
		t.Errorf("%d packages, want %d", len(document.Packages), want)
	}
	if want := "pkg:golang/stdlib@" + strings.TrimPrefix(info.GoVersion, "go"); urls["stdlib"] != want {
		t.Errorf("Go is %q, want %q", urls["stdlib"], want)
	}
	var names []string
	for _, listed := range document.Files {
		names = append(names, listed.FileName)
	}
	if !slices.Equal(names, []string{"./agentd", "./etc/ca.crt"}) {
		t.Errorf("files are %q", names)
	}
	checkRelations(t, document)
}

// checkRelations looks that no relation leads nowhere, and that every package belongs to something.
func checkRelations(t *testing.T, document spdx.Document) {
	t.Helper()
	known, related := map[spdx.ElementID]bool{"DOCUMENT": true}, map[spdx.ElementID]bool{}
	for _, listed := range document.Packages {
		known[listed.PackageSPDXIdentifier] = true
	}
	for _, listed := range document.Files {
		known[listed.FileSPDXIdentifier] = true
	}
	for _, relation := range document.Relationships {
		related[relation.RefB.ElementRefID] = true
		if !known[relation.RefA.ElementRefID] || !known[relation.RefB.ElementRefID] {
			t.Errorf("the relation %+v leads nowhere", *relation)
		}
	}
	for element := range known {
		if element != "DOCUMENT" && !related[element] {
			t.Errorf("%s belongs to nothing", element)
		}
	}
}

func TestPackageURL(t *testing.T) {
	for module, want := range map[[2]string]string{
		{"github.com/jackc/pgx/v5", "v5.12.0"}:            "pkg:golang/github.com/jackc/pgx/v5@v5.12.0",
		{"github.com/docker/cli", "v29.7.2+incompatible"}: "pkg:golang/github.com/docker/cli@v29.7.2%2Bincompatible",
		{"agentstack/app", ""}:                            "pkg:golang/agentstack/app",
		{"stdlib", "1.26.8"}:                              "pkg:golang/stdlib@1.26.8",
	} {
		if got := moduleURL(module[0], module[1]); got != want {
			t.Errorf("%v is %q, want %q", module, got, want)
		}
	}
}
