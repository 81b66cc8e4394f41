package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	clitypes "github.com/docker/cli/cli/config/types"
	"github.com/docker/docker/api/types/registry"
	"github.com/moby/buildkit/session/auth/authprovider"
)

// Credentials log in to one registry.
type Credentials struct {
	Server, Username, Password string
}

// Auth finds the credentials of registries: those given first, then the user's Docker configuration file.
type Auth struct {
	given map[string]Credentials
	file  *configfile.ConfigFile
}

// NewAuth reads the Docker configuration file. Of two credentials for one server the first is taken.
func NewAuth(given ...Credentials) (Auth, error) {
	file, err := config.Load(config.Dir())
	if err != nil {
		return Auth{}, fmt.Errorf("read Docker configuration: %w", err)
	}
	auth := Auth{given: map[string]Credentials{}, file: file}
	for _, credentials := range given {
		server := serverKey(credentials.Server)
		if _, taken := auth.given[server]; !taken {
			auth.given[server] = credentials
		}
	}
	return auth, nil
}

// RegistryOf returns the registry server of a fully qualified image name.
func RegistryOf(image string) (string, error) {
	named, err := reference.ParseNamed(image)
	if err != nil {
		return "", fmt.Errorf("image name %q: %w; it must be fully qualified, as in "+
			"docker.io/repository/image:tag", image, err)
	}
	return reference.Domain(named), nil
}

func (a Auth) lookup(server string) (clitypes.AuthConfig, error) {
	key := serverKey(server)
	if credentials, ok := a.given[key]; ok {
		return clitypes.AuthConfig{
			Username: credentials.Username, Password: credentials.Password, ServerAddress: key,
		}, nil
	}
	found, err := a.file.GetAuthConfig(key)
	if err != nil {
		return clitypes.AuthConfig{}, fmt.Errorf("read credentials of %s: %w", key, err)
	}
	return found, nil
}

func (a Auth) forSession() authprovider.AuthConfigProvider {
	return func(_ context.Context, host string, _ []string, _ authprovider.ExpireCachedAuthCheck) (
		clitypes.AuthConfig, error,
	) {
		return a.lookup(host)
	}
}

// header is the X-Registry-Auth header for the registry of image.
func (a Auth) header(image string) (string, error) {
	server, err := RegistryOf(image)
	if err != nil {
		return "", err
	}
	found, err := a.lookup(server)
	if err != nil {
		return "", err
	}
	header, err := registry.EncodeAuthConfig(registry.AuthConfig{
		Username: found.Username, Password: found.Password, Auth: found.Auth, ServerAddress: found.ServerAddress,
		IdentityToken: found.IdentityToken, RegistryToken: found.RegistryToken,
	})
	if err != nil {
		return "", fmt.Errorf("encode credentials: %w", err)
	}
	return header, nil
}

// serverKey is the name under which Docker files credentials: a host, except for Docker Hub.
func serverKey(server string) string {
	host := server
	if _, rest, ok := strings.Cut(server, "://"); ok {
		host = rest
	}
	host, _, _ = strings.Cut(host, "/")
	switch host {
	case "docker.io", "index.docker.io", authprovider.DockerHubRegistryHost:
		return authprovider.DockerHubConfigfileKey
	}
	return host
}
