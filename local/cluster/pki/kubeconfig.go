package pki

import (
	"errors"
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"agentstack/local/cluster/topology"
)

// Kubeconfig is the path of the kubeconfig of one of a region's components, of a node by its name, or of "admin".
func Kubeconfig(r topology.Region, name string) string { return r.Path("pki", name+".kubeconfig") }

func (a *authority) ensureKubeconfig(r topology.Region, name string, s subject) error {
	if err := a.ensure(name, s); err != nil {
		return err
	}
	config, err := a.kubeconfig(r, name)
	if err != nil {
		return err
	}
	return writeConfig(Kubeconfig(r, name), config)
}

// kubeconfig has one context, named as the region.
func (a *authority) kubeconfig(r topology.Region, name string) (*api.Config, error) {
	ca, errCA := os.ReadFile(a.path(a.name) + ".crt")
	cert, errCert := os.ReadFile(a.path(name) + ".crt")
	key, errKey := os.ReadFile(a.path(name) + ".key")
	if err := errors.Join(errCA, errCert, errKey); err != nil {
		return nil, fmt.Errorf("read credentials of %s: %w", name, err)
	}
	user := r.Name + "-" + name
	config := api.NewConfig()
	config.Clusters[r.Name] = &api.Cluster{Server: r.Server(), CertificateAuthorityData: ca}
	config.AuthInfos[user] = &api.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	config.Contexts[r.Name] = &api.Context{Cluster: r.Name, AuthInfo: user}
	config.CurrentContext = r.Name
	return config, nil
}

// WriteKubeconfig writes the file with which a person reaches every region of an instance as administrator, one
// context a region, the first being current.
func WriteKubeconfig(i topology.Instance) error {
	merged := api.NewConfig()
	for _, r := range i.Regions() {
		config, err := clientcmd.LoadFromFile(Kubeconfig(r, "admin"))
		if err != nil {
			return fmt.Errorf("load kubeconfig of %s: %w", r.Name, err)
		}
		merged.Clusters[r.Name] = config.Clusters[r.Name]
		merged.Contexts[r.Name] = config.Contexts[r.Name]
		for user, auth := range config.AuthInfos {
			merged.AuthInfos[user] = auth
		}
	}
	merged.CurrentContext = i.RegionNames[0]
	return writeConfig(i.Kubeconfig(), merged)
}

func writeConfig(path string, config *api.Config) error {
	content, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode kubeconfig: %w", err)
	}
	return write(path, content)
}
