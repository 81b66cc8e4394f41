// Package images makes the container images of the local cloud from Debian packages, Go modules and a Python package,
// without a container engine: a root file system is filled in a private mount namespace and packed into OCI layers.
// README.md says how each image differs from the one its name is known by.
package images

import (
	"context"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Image is one image and the way it is made.
type Image struct {
	// Name is the image's folder in the cache.
	Name string
	// Refs are the full names under which the mirror serves the image.
	Refs []string
	// Release is what the installed version must be, up to a dot: "17" accepts 17.12. Empty for images of Go
	// binaries, whose version is pinned where they are built.
	Release string
	// Package is the Debian package whose version Release speaks about.
	Package string
	// Config is the image's configuration: user, environment, entry point.
	Config v1.Config

	base   string
	recipe recipe
}

// recipe fills a root file system.
type recipe interface {
	// inputs returns a digest of every input that decides the content, apart from the Image itself.
	inputs(ctx context.Context, opts Options) ([]string, error)
	// fill writes the content into root.
	fill(ctx context.Context, root string, opts Options) error
	// check proves that the content works; what it writes into root is not part of the image.
	check(ctx context.Context, root string, opts Options) error
}

// Options tells Build where things are.
type Options struct {
	// Cache is the root of the cache of built things. Images go to Cache/images/<name>/<key>.
	Cache string
	// Binary returns the path of a statically linked binary of the toolchain.
	Binary func(name string) (string, error)
	// Progress, if set, is told what is being done, one short line at a time.
	Progress func(line string)
}

func (o Options) say(line string) {
	if o.Progress != nil {
		o.Progress(line)
	}
}

func (o Options) dir(name string) string { return filepath.Join(o.Cache, "images", name) }

// All returns every image, each after the one it is based on.
func All() []Image {
	return []Image{
		debian(), pause(), coreDNS(), cloudNativePG(), localPathProvisioner(),
		redis(), pgBouncer(), golang(), postgreSQL(),
		versityGW(), prometheus(), alertmanager(), nodeExporter(), kubeStateMetrics(), redisExporter(),
		openTelemetryCollector(), loki(), metricsServer(), prometheusAdapter(), vpaRecommender(),
		envoyGateway(), envoy(),
	}
}

func byName(name string) Image {
	for _, img := range All() {
		if img.Name == name {
			return img
		}
	}
	panic("no image is named " + name)
}
