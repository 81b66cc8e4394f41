package apiservice

import (
	"path"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumix"
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
	image := &docker.ImageArgs{Build: build, ImageName: pulumi.Sprintf("%s:%s", args.Repository, args.Tag)}
	if args.Login != nil {
		image.Registry = &docker.RegistryArgs{
			Server:   server(args.Repository),
			Username: args.Login.Username.ToStringOutput(),
			Password: pulumi.ToSecret(args.Login.Password.ToStringOutput()).(pulumi.StringOutput),
		}
	}
	return image
}

// server returns the registry's host.
func server(repository pulumi.StringInput) pulumi.StringOutput {
	return pulumix.Cast[pulumi.StringOutput](pulumix.Apply(repository.ToStringOutput(), func(name string) string {
		host, _, _ := strings.Cut(name, "/")
		return host
	}))
}
