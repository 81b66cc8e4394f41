package supplychain

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"path"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/package-url/packageurl-go"
	"github.com/spdx/tools-golang/spdx"
)

// addProgram adds the module of a program and what it was linked with: its dependencies and Go's standard library.
func (d document) addProgram(info *buildinfo.BuildInfo) spdx.ElementID {
	main := d.addModule(&info.Main, "APPLICATION")
	goVersion, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ")
	dependencies := append([]*debug.Module{{Path: "stdlib", Version: goVersion}}, info.Deps...)
	for _, dependency := range dependencies {
		d.relate(main, spdx.RelationshipDependsOn, d.addModule(dependency, "LIBRARY"))
	}
	return main
}

// addModule adds a module, once, and returns its identifier.
func (d document) addModule(module *debug.Module, purpose string) spdx.ElementID {
	// A replacement without a version is a folder.
	if module.Replace != nil && module.Replace.Version != "" {
		module = module.Replace
	}
	version := module.Version
	if version == "(devel)" {
		version = ""
	}
	url := moduleURL(module.Path, version)
	id := identifier("Package", url)
	known := slices.ContainsFunc(d.Packages, func(p *spdx.Package) bool { return p.PackageSPDXIdentifier == id })
	if known {
		return id
	}
	added := &spdx.Package{
		PackageName:               module.Path,
		PackageSPDXIdentifier:     id,
		PackageVersion:            version,
		PackageDownloadLocation:   noAssertion,
		PackageExternalReferences: reference(url),
		PrimaryPackagePurpose:     purpose,
	}
	if module.Sum != "" {
		// It is the hash of a list of hashes, as in go.sum, so it is none of the checksums that SPDX knows.
		added.PackageSourceInfo = "go.sum " + module.Sum
	}
	d.Packages = append(d.Packages, added)
	return id
}

func reference(url string) []*spdx.PackageExternalReference {
	return []*spdx.PackageExternalReference{{
		Category: spdx.CategoryPackageManager, RefType: spdx.PackageManagerPURL, Locator: url,
	}}
}

// moduleURL returns the package URL of a module, such as pkg:golang/github.com/jackc/pgx/v5@v5.12.0.
func moduleURL(module, version string) string {
	namespace, last := path.Split(module)
	url := packageurl.NewPackageURL(packageurl.TypeGolang, strings.TrimSuffix(namespace, "/"), last, version, nil, "")
	return url.ToString()
}

// imageURL returns the package URL of an image.
func imageURL(image name.Digest) string {
	repository := packageurl.QualifiersFromMap(map[string]string{"repository_url": image.Context().Name()})
	_, last := path.Split(image.Context().RepositoryStr())
	url := packageurl.NewPackageURL(packageurl.TypeOCI, "", last, image.DigestStr(), repository, "")
	return url.ToString()
}

// identifier names an element of a document by a hash: names have characters that an identifier may not have.
func identifier(kind, name string) spdx.ElementID {
	sum := sha256.Sum256([]byte(name))
	return spdx.ElementID(kind + "-" + hex.EncodeToString(sum[:8]))
}
