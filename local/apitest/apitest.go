// Package apitest runs a real Kubernetes API server for tests: etcd and kube-apiserver on 127.0.0.1 at free
// ports, with certificates, in a temporary directory. There is no kubelet: pods are stored and never run.
package apitest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	startTimeout = 2 * time.Minute // of one component; a cold two-core machine needs about 15 seconds
	stopTimeout  = 30 * time.Second
)

// Options say what to run.
type Options struct {
	// Controllers also starts kube-controller-manager: ReplicaSets, pods, endpoints and garbage collection
	// happen.
	Controllers bool
	// Definitions are files or directories of CustomResourceDefinitions to install.
	Definitions []string
}

// Server is a running API server.
type Server struct {
	Kubeconfig []byte       // of a cluster administrator
	Config     *rest.Config // of the same

	environment *envtest.Environment
	controllers *exec.Cmd
	directory   string
	stop        sync.Once
	stopErr     error
}

// Start runs an API server until Stop.
func Start(options Options) (*Server, error) {
	apiServer, err := binary("kube-apiserver")
	if err != nil {
		return nil, err
	}
	etcd, err := binary("etcd")
	if err != nil {
		return nil, err
	}
	environment := &envtest.Environment{
		CRDDirectoryPaths:        options.Definitions,
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  stopTimeout,
	}
	environment.ControlPlane.GetAPIServer().Path = apiServer
	environment.ControlPlane.Etcd = &envtest.Etcd{Path: etcd}
	config, err := environment.Start()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start API server: %w", err), environment.Stop())
	}
	server := &Server{Config: config, Kubeconfig: environment.KubeConfig, environment: environment}
	if options.Controllers {
		if err := server.startControllers(); err != nil {
			return nil, errors.Join(err, server.Stop())
		}
	}
	return server, nil
}

// Run starts an API server for one test and stops it after it.
func Run(t testing.TB, options Options) *Server {
	t.Helper()
	server, err := Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// KubeconfigFile writes the administrator's kubeconfig to a private file that Stop removes.
func (s *Server) KubeconfigFile() (string, error) {
	if s.directory == "" {
		directory, err := os.MkdirTemp("", "apitest-")
		if err != nil {
			return "", fmt.Errorf("make directory: %w", err)
		}
		s.directory = directory
	}
	path := filepath.Join(s.directory, "kubeconfig")
	if err := os.WriteFile(path, s.Kubeconfig, 0o600); err != nil {
		return "", fmt.Errorf("write kubeconfig: %w", err)
	}
	return path, nil
}

// Stop ends every process that Start started and removes their files.
func (s *Server) Stop() error {
	s.stop.Do(func() {
		s.stopErr = errors.Join(s.stopControllers(), s.environment.Stop(), os.RemoveAll(s.directory))
	})
	return s.stopErr
}
