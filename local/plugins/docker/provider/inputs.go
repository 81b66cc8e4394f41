package provider

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"agentstack/local/plugins/docker/engine"
	"agentstack/local/plugins/property"
)

// config is the provider's configuration, as far as a build uses it.
type config struct {
	Host         string         `json:"host"`
	CertPath     string         `json:"certPath"`
	RegistryAuth []registryAuth `json:"registryAuth"`
	// Version is added by the Pulumi engine.
	Version string `json:"version"`
	// DisableDockerDaemonCheck changes nothing here: the daemon is reached only to build.
	DisableDockerDaemonCheck bool `json:"disableDockerDaemonCheck"`
	// PluginDownloadURL is added by the Pulumi engine.
	PluginDownloadURL string `json:"pluginDownloadURL"`
}

type registryAuth struct {
	Address  string `json:"address"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// decodeConfig reads the configuration. The engine hands over lists and flags as JSON text.
func decodeConfig(properties resource.PropertyMap) (config, error) {
	plain := resource.PropertyMap{}
	for key, value := range properties {
		value = property.Opened(value)
		if value.IsString() && (key == "registryAuth" || key == "disableDockerDaemonCheck") {
			var parsed any
			if err := json.Unmarshal([]byte(value.StringValue()), &parsed); err != nil {
				return config{}, fmt.Errorf("docker:%s is not JSON: %w", key, err)
			}
			value = resource.NewPropertyValue(parsed)
		}
		plain[key] = value
	}
	var result config
	if err := decode(plain, &result); err != nil {
		return config{}, fmt.Errorf("docker provider configuration: %w", err)
	}
	if result.Host == "" {
		result.Host = os.Getenv("DOCKER_HOST")
	}
	return result, nil
}

// image is the resource's inputs after Check.
type image struct {
	ImageName      string   `json:"imageName"`
	SkipPush       bool     `json:"skipPush"`
	BuildOnPreview bool     `json:"buildOnPreview"`
	Registry       registry `json:"registry"`
	Build          build    `json:"build"`
}

type registry struct {
	Server   string `json:"server"`
	Username string `json:"username"`
	Password string `json:"password"`
}

type build struct {
	Context        string            `json:"context"`
	Dockerfile     string            `json:"dockerfile"`
	ContextDigest  string            `json:"contextDigest"`
	Args           map[string]string `json:"args"`
	Target         string            `json:"target"`
	Platform       string            `json:"platform"`
	Network        string            `json:"network"`
	AddHosts       []string          `json:"addHosts"`
	BuilderVersion string            `json:"builderVersion"`
	CacheFrom      struct {
		Images []string `json:"images"`
	} `json:"cacheFrom"`
}

func (i image) request() engine.Request {
	return engine.Request{
		Image:      i.ImageName,
		Context:    i.Build.Context,
		Dockerfile: i.Build.Dockerfile,
		Target:     i.Build.Target,
		Platform:   i.Build.Platform,
		Network:    i.Build.Network,
		Args:       i.Build.Args,
		AddHosts:   i.Build.AddHosts,
		CacheFrom:  i.Build.CacheFrom.Images,
	}
}

// credentials are the resource's own, then the provider's.
func (i image) credentials(provider config) ([]engine.Credentials, error) {
	var found []engine.Credentials
	if i.Registry.Username != "" && i.Registry.Password != "" {
		server := i.Registry.Server
		if server == "" {
			var err error
			if server, err = engine.RegistryOf(i.ImageName); err != nil {
				return nil, err
			}
		}
		found = append(found, engine.Credentials{
			Server: server, Username: i.Registry.Username, Password: i.Registry.Password,
		})
	}
	for _, auth := range provider.RegistryAuth {
		if auth.Username != "" && auth.Password != "" {
			found = append(found, engine.Credentials{
				Server: auth.Address, Username: auth.Username, Password: auth.Password,
			})
		}
	}
	return found, nil
}

func hostPlatform() string { return "linux/" + runtime.GOARCH }

// shortestSecretLine is the length from which one line of a secret of many, such as a key, is hidden by
// itself.
const shortestSecretLine = 8

// redact replaces secrets in a text that is shown.
func redact(text string, secrets []string) string {
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, "[secret]")
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); len(line) >= shortestSecretLine {
				text = strings.ReplaceAll(text, line, "[secret]")
			}
		}
	}
	return text
}
