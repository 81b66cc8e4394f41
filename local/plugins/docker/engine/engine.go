// Package engine builds and pushes images through the Docker Engine API, with the BuildKit inside the
// daemon.
package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/docker/docker/client"
)

// Config says how to reach the daemon. Empty fields fall back to the environment: DOCKER_HOST,
// DOCKER_CERT_PATH, DOCKER_TLS_VERIFY.
type Config struct {
	Host string
	// CertPath is a folder with ca.pem, cert.pem and key.pem.
	CertPath string
}

// Engine is a connection to a Docker daemon.
type Engine struct {
	api *client.Client
}

// Connect reaches the daemon and agrees on an API version.
func Connect(ctx context.Context, config Config) (*Engine, error) {
	options := []client.Opt{client.FromEnv}
	if config.Host != "" {
		options = append(options, client.WithHost(config.Host))
	}
	if path := config.CertPath; path != "" {
		options = append(options, client.WithTLSClientConfig(path+"/ca.pem", path+"/cert.pem", path+"/key.pem"))
	}
	options = append(options, client.WithAPIVersionNegotiation())
	api, err := client.NewClientWithOpts(options...)
	if err != nil {
		return nil, fmt.Errorf("configure Docker client: %w", err)
	}
	ping, err := api.Ping(ctx)
	if err != nil {
		api.Close()
		return nil, fmt.Errorf("reach Docker daemon at %s: %s; start the daemon (the local cloud's: make up) "+
			"or set DOCKER_HOST or docker:host to the one to use", api.DaemonHost(), firstLine(err))
	}
	api.NegotiateAPIVersionPing(ping)
	return &Engine{api: api}, nil
}

// Close gives up the connection.
func (e *Engine) Close() error { return e.api.Close() }

// firstLine keeps an error on one line and drops the client's own advice.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(strings.TrimSuffix(line, " Is the docker daemon running?"), ".")
}
