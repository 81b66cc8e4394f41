// Package images judges where the code that runs comes from.
package images

import (
	"regexp"
	"strings"

	"agentstack/policy/rule"
	"agentstack/policy/workload"
)

// Rules of this concern.
var Rules = []rule.Rule{{
	Name: "image-version",
	Description: "Images carry an exact version, never latest or none: two pods of one workload run the same code, " +
		"and a rollback gets back what was there. Locally a major version is enough. " +
		"https://kubernetes.io/docs/concepts/containers/images/#image-names",
	Level:    rule.Mandatory,
	Resource: images(exactVersion),
}, {
	Name: "image-digest",
	Description: "Images are pinned by digest: a tag can be moved to other code. " +
		"https://kubernetes.io/docs/concepts/containers/images/#image-names",
	Level:    rule.Advisory,
	Resource: images(digest),
}, {
	Name:        "image-built-by-digest",
	Description: "Images that this program builds are used by the digest of the build: what runs is what was built.",
	Level:       rule.Mandatory,
	Stack:       builtByDigest,
}, {
	Name:        "helm-release-version",
	Description: "Helm releases name an exact chart version: the newest chart of the day was never tested.",
	Level:       rule.Mandatory,
	Resource:    helmVersion,
}}

// version is a tag with a number that has at least a minor part, such as v1.2, 17.7-system-trixie or 8.0.2-alpine.
var version = regexp.MustCompile(`^(release-|RELEASE\.)?v?\d+[.\-]\d+`)

// majorVersion also allows tags such as 17-system-trixie. The images of a local cloud are made on its machine from
// packages of which there is only the newest.
var majorVersion = regexp.MustCompile(`^(release-|RELEASE\.)?v?\d+`)

// chartVersion is a semantic version and no range. https://helm.sh/docs/chart_best_practices/dependencies/
var chartVersion = regexp.MustCompile(`^v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$`)

// of returns every image that the resource makes a pod run.
func of(resource rule.Resource) []rule.Value {
	if resource.IsA("postgresql.cnpg.io/Cluster") && resource.At("spec.imageCatalogRef").Missing() {
		return []rule.Value{resource.At("spec.imageName")}
	}
	var found []rule.Value
	if w, isWorkload := workload.Of(resource); isWorkload {
		for _, container := range w.Containers() {
			found = append(found, container.At("image"))
		}
		for _, volume := range w.Spec.At("volumes").Items() {
			if image := volume.At("image.reference"); !image.Missing() {
				found = append(found, image)
			}
		}
	}
	return found
}

func images(check func(rule.Environment, rule.Value, rule.Report)) func(rule.Resource, rule.Report) {
	return func(resource rule.Resource, report rule.Report) {
		for _, image := range of(resource) {
			if !image.Unknown() {
				check(resource.Environment, image, report)
			}
		}
	}
}

func exactVersion(environment rule.Environment, image rule.Value, report rule.Report) {
	wanted := version
	if !environment.Shared() {
		wanted = majorVersion
	}
	if _, tag, hasDigest := split(image.Text()); !hasDigest && !wanted.MatchString(tag) {
		report(image, "%q has no exact version: give a tag such as v1.2.3, or a digest", image.Text())
	}
}

func digest(_ rule.Environment, image rule.Value, report rule.Report) {
	if _, _, hasDigest := split(image.Text()); !hasDigest {
		report(image, "%q can be moved to other code: append @sha256:…", image.Text())
	}
}

func builtByDigest(stack rule.Stack, report rule.Report) {
	built := map[string]bool{}
	for _, image := range stack.Of("docker:index/image:Image", "docker-build:index:Image") {
		for _, name := range append(image.At("tags").Items(), image.At("imageName").Items()...) {
			repository, _, _ := split(name.Text())
			built[repository] = true
		}
	}
	for _, resource := range stack.Resources {
		for _, image := range of(resource) {
			repository, _, hasDigest := split(image.Text())
			if built[repository] && image.Text() != "" && !hasDigest {
				report(image, "%q is built by this program: use the repoDigest output of its Image", image.Text())
			}
		}
	}
}

func helmVersion(resource rule.Resource, report rule.Report) {
	if !resource.IsA("helm.sh/Release", "helm.sh/Chart") {
		return
	}
	if at := resource.At("version"); !at.Unknown() && !chartVersion.MatchString(at.Text()) {
		report(at, "%q is no exact version: give one such as 1.2.3", at.Text())
	}
}

// split takes an image reference apart. A colon before the last slash belongs to the port of the registry.
func split(reference string) (repository, tag string, hasDigest bool) {
	reference, _, hasDigest = strings.Cut(reference, "@sha256:")
	if colon := strings.LastIndex(reference, ":"); colon > strings.LastIndex(reference, "/") {
		return reference[:colon], reference[colon+1:], hasDigest
	}
	return reference, "", hasDigest
}
