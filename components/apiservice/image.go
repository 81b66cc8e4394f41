package apiservice

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// platform is what every image is built for.
const platform = "linux/amd64"

// ImageArgs configures an image that is built from the application's sources and pushed to a registry.
type ImageArgs struct {
	// Context is the folder with the sources and their Dockerfile. Required.
	Context string
	// Target is the stage of the Dockerfile to build. Required.
	Target string
	// Tag of the pushed image, for people: pods refer to the image by digest. Required.
	Tag string
	// Repository is the name of the image without tag, with the registry's host in front. Required.
	Repository pulumi.StringInput
	// Login to the registry. Default: the credentials of the Docker client, from `docker login`.
	Login *Login
	// BuildNetwork is the network of the build's commands: default or host. Default default.
	BuildNetwork string
	// Key signs the image. Required.
	Key *SigningKey
	// Attach puts signature and bill of materials beside the image. Default supplychain.Attach, which needs the
	// registry; tests give another one.
	Attach Attach
}

// Login is an account of a registry.
type Login struct {
	Username, Password pulumi.StringInput
}

// ImageSettings is what a stack's configuration says of images.
type ImageSettings struct {
	// Repository is the name of the image without tag, with the registry's host in front. Required, except with
	// aws, which brings a registry of its own.
	Repository string `json:"repository"`
	// BuildNetwork is the network of the build's commands: default or host. Default default.
	BuildNetwork string `json:"buildNetwork"`
	// Username to push with. Default: the credentials of the Docker client, from `docker login`.
	Username string `json:"username"`
}

var buildNetworks = []string{"default", "host"}

// Validate reports every problem of the settings, each led by the path of its field below path.
func (s ImageSettings) Validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	if s.Repository == "" {
		problems = append(problems, field.Required(path.Child("repository"),
			"give a repository to push to, such as registry.example.com/ai-agent-api"))
	} else if !repositoryPattern.MatchString(s.Repository) {
		problems = append(problems, field.Invalid(path.Child("repository"), s.Repository,
			"must be host[:port]/path in lower case without tag, such as registry.example.com/ai-agent-api"))
	}
	return append(problems, ValidateBuildNetwork(path.Child("buildNetwork"), s.BuildNetwork)...)
}

// ValidateBuildNetwork reports a network that is neither empty nor known.
func ValidateBuildNetwork(path *field.Path, value string) field.ErrorList {
	if value != "" && !slices.Contains(buildNetworks, value) {
		return field.ErrorList{field.NotSupported(path, value, buildNetworks)}
	}
	return nil
}

// Validate reports every problem of the arguments, each led by the path of its field below path.
func (a ImageArgs) Validate(path *field.Path) field.ErrorList {
	problems := ValidateBuildNetwork(path.Child("buildNetwork"), a.BuildNetwork)
	if a.Context == "" {
		problems = append(problems, field.Required(path.Child("context"), "give the folder with the sources"))
	}
	if a.Target == "" {
		problems = append(problems, field.Required(path.Child("target"), "give the stage to build"))
	}
	if a.Tag == "" {
		problems = append(problems, field.Required(path.Child("tag"), "give the tag to push"))
	}
	if a.Repository == nil {
		problems = append(problems, field.Required(path.Child("repository"), "give the repository to push to"))
	}
	if a.Key == nil {
		problems = append(problems, field.Required(path.Child("key"), "give the key that signs the image"))
	}
	if a.Login != nil && (a.Login.Username == nil || a.Login.Password == nil) {
		problems = append(problems, field.Required(path.Child("login"), "give both username and password"))
	}
	return problems
}

// NewImage builds an image, pushes it, signs it and returns its reference by digest, which nobody gets before the image
// is signed. All regions of a stack run the same image, so it is built once for them and passed to each ApiService.
func NewImage(ctx *pulumi.Context, name string, args ImageArgs,
	opts ...pulumi.ResourceOption,
) (pulumi.StringOutput, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("validate arguments of image %s: %w", name, err)
	}
	image, err := docker.NewImage(ctx, name, imageArgs(args), opts...)
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("register image %s: %w", name, err)
	}
	return signed(ctx, image.RepoDigest, args), nil
}
