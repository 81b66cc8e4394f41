package apiservice

import (
	"path"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// repositoryPattern is the grammar of an image name that starts with a registry's host and has no tag.
// https://pkg.go.dev/github.com/distribution/reference#pkg-overview
var repositoryPattern = regexp.MustCompile(
	`^[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]+)?(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+$`)

func imageArgs(args ImageArgs) *docker.ImageArgs {
	build := &docker.DockerBuildArgs{
		Context:        pulumi.String(args.Context),
		Dockerfile:     pulumi.String(path.Join(args.Context, "Dockerfile")),
		Target:         pulumi.String(args.Target),
		Platform:       pulumi.String(platform),
		BuilderVersion: docker.BuilderVersionBuilderBuildKit,
	}
	if args.BuildNetwork != "" {
		build.Network = pulumi.String(args.BuildNetwork)
	}
	image := &docker.ImageArgs{Build: build, ImageName: pulumi.String(args.Repository + ":" + args.Tag)}
	if args.Username != "" {
		server, _, _ := strings.Cut(args.Repository, "/")
		image.Registry = &docker.RegistryArgs{
			Server:   pulumi.String(server),
			Username: pulumi.String(args.Username),
			Password: pulumi.ToSecret(args.Password.ToStringOutput()).(pulumi.StringOutput),
		}
	}
	return image
}
