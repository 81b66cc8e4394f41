// Package cluster is the provider's view of one Kubernetes API server: it finds kinds, applies, reads and
// deletes objects, and turns the server's errors into messages that name the object and the field.
package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Target says which cluster to talk to.
type Target struct {
	Kubeconfig string // contents, or path(s) of a file; empty is the environment's default
	Context    string // context of the kubeconfig; empty is its current one
	Cluster    string // cluster of the kubeconfig; empty is the context's
	Namespace  string // namespace of objects that name none; empty is the context's
}

func (t Target) loader() (clientcmd.ClientConfig, error) {
	overrides := &clientcmd.ConfigOverrides{
		CurrentContext: t.Context,
		Context:        clientcmdapi.Context{Cluster: t.Cluster, Namespace: t.Namespace},
	}
	if t.Kubeconfig == "" {
		rules := clientcmd.NewDefaultClientConfigLoadingRules()
		return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides), nil
	}
	config, err := parseKubeconfig(t.Kubeconfig)
	if err != nil {
		return nil, err
	}
	return clientcmd.NewDefaultClientConfig(*config, overrides), nil
}

// Config returns the client configuration and the default namespace.
func (t Target) Config() (*rest.Config, string, error) {
	loader, err := t.loader()
	if err != nil {
		return nil, "", err
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("load kubeconfig: %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("load namespace of kubeconfig: %w", err)
	}
	return config, namespace, nil
}

// At names the API server at a host, and the context that means it where the target names one.
func (t Target) At(host string) string {
	if t.Context == "" {
		return host
	}
	return fmt.Sprintf("context %q at %s", t.Context, host)
}

// SameCluster reports whether two targets mean the same API server. Two that cannot be read count as the
// same, so that a broken kubeconfig does not plan the replacement of everything.
func SameCluster(a, b Target) bool {
	clusterA, errA := a.active()
	clusterB, errB := b.active()
	return errA != nil || errB != nil || reflect.DeepEqual(clusterA, clusterB)
}

func (t Target) active() (*clientcmdapi.Cluster, error) {
	loader, err := t.loader()
	if err != nil {
		return nil, err
	}
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, err
	}
	name := t.Context
	if name == "" {
		name = raw.CurrentContext
	}
	clusterName := t.Cluster
	if context := raw.Contexts[name]; clusterName == "" && context != nil {
		clusterName = context.Cluster
	}
	found := raw.Clusters[clusterName]
	if found == nil {
		return nil, fmt.Errorf("find cluster %q in kubeconfig", clusterName)
	}
	found = found.DeepCopy()
	found.LocationOfOrigin = ""
	return found, nil
}

func parseKubeconfig(value string) (*clientcmdapi.Config, error) {
	if strings.ContainsAny(value, "\n{") {
		config, err := clientcmd.Load([]byte(value))
		if err != nil {
			// The parser's own message may quote the contents, which hold credentials.
			return nil, errors.New("parse kubeconfig: its contents are neither YAML nor JSON of kind Config")
		}
		return config, nil
	}
	paths := filepath.SplitList(value)
	for i, path := range paths {
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			home, err := os.UserHomeDir()
			if err != nil {
				return nil, fmt.Errorf("expand kubeconfig path %s: %w", path, err)
			}
			paths[i] = filepath.Join(home, rest)
		}
		if _, err := os.Stat(paths[i]); err != nil && len(paths) == 1 {
			return nil, fmt.Errorf("read kubeconfig: %w", err)
		}
	}
	config, err := (&clientcmd.ClientConfigLoadingRules{Precedence: paths}).Load()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", value, err)
	}
	return config, nil
}
