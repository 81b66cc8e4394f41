// Package strict asks a real Kubernetes API server whether it accepts every object that a program registers:
// etcd and kube-apiserver run on 127.0.0.1, without controllers and nodes, and nothing is stored but
// namespaces.
package strict

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	startTimeout = 2 * time.Minute // of one component; a cold two-core machine needs about 15 seconds
	stopTimeout  = 30 * time.Second
)

// Server is a running API server.
type Server struct {
	client   client.Client
	warnings *warnings
}

// Start runs an API server that knows the given definitions, files or folders of
// CustomResourceDefinitions, until the test ends.
func Start(t testing.TB, definitions ...string) *Server {
	t.Helper()
	environment := &envtest.Environment{
		CRDInstallOptions:        envtest.CRDInstallOptions{MaxTime: startTimeout},
		CRDDirectoryPaths:        definitions,
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  stopTimeout,
	}
	environment.ControlPlane.GetAPIServer().Path = binary(t, "kube-apiserver")
	environment.ControlPlane.Etcd = &envtest.Etcd{Path: binary(t, "etcd")}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stop API server: %v", err)
		}
	})
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("start API server: %v", err)
	}
	server := &Server{warnings: &warnings{}}
	config.WarningHandler = server.warnings
	if server.client, err = client.New(config, client.Options{}); err != nil {
		t.Fatalf("make client: %v", err)
	}
	return server
}

// binary returns the path of a Kubernetes binary.
func binary(t testing.TB, name string) string {
	t.Helper()
	const variable = "AGENTSTACK_TOOLS"
	directory := os.Getenv(variable)
	if directory == "" {
		t.Fatalf("find %s: %s is not set: run the tests by `make test`, or set it to a folder with etcd and "+
			"kube-apiserver", name, variable)
	}
	path := filepath.Join(directory, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("find %s in %s: %v; `make deps` puts it there", name, variable, err)
	}
	return path
}

// ModuleFolder returns a folder of a module in the Go module cache, in the version that the Go module in
// the folder pin asks for.
func ModuleFolder(t testing.TB, pin, module, folder string) string {
	t.Helper()
	download := exec.CommandContext(t.Context(), "go", "mod", "download", module)
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module)
	var output []byte
	for _, command := range []*exec.Cmd{download, list} {
		command.Dir, command.Env = pin, append(os.Environ(), "GOWORK=off")
		var err error
		if output, err = command.Output(); err != nil {
			t.Fatalf("find module %s from %s: %v", module, pin, err)
		}
	}
	return filepath.Join(strings.TrimSpace(string(output)), folder)
}

// warnings collects what the API server warns of.
type warnings struct {
	mu       sync.Mutex
	messages []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (w *warnings) HandleWarningHeader(_ int, _ string, message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.messages = append(w.messages, message)
}

// take returns the messages since the last call as an error, or nil.
func (w *warnings) take() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	messages := w.messages
	w.messages = nil
	if len(messages) == 0 {
		return nil
	}
	return fmt.Errorf("warned: %s", strings.Join(messages, "; "))
}
