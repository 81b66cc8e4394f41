package pki

import (
	"crypto/x509"
	"os"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"agentstack/local/cluster/topology"
)

func region(t *testing.T) topology.Region {
	t.Helper()
	return topology.Instance{Name: "dev", Dir: t.TempDir(), Octet: 200, RegionNames: []string{"local-1"}}.Regions()[0]
}

func TestCertificatesAreSignedForTheirUse(t *testing.T) {
	r := region(t)
	if err := Execute(r); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, host string
		usage      x509.ExtKeyUsage
		authority  string
	}{
		{"apiserver", r.ControlPlane, x509.ExtKeyUsageServerAuth, "ca"},
		{"apiserver", "kubernetes.default.svc", x509.ExtKeyUsageServerAuth, "ca"},
		{"kubelet-" + r.Nodes[0].Name, r.Nodes[0].Address, x509.ExtKeyUsageServerAuth, "ca"},
		{"metrics-server", "metrics-server.kube-system.svc", x509.ExtKeyUsageServerAuth, "ca"},
		{"admin", "", x509.ExtKeyUsageClientAuth, "ca"},
		// The name that Envoys look for, wherever they connect to.
		{"envoy-gateway", "envoy-gateway", x509.ExtKeyUsageServerAuth, "envoy-gateway-ca"},
		{"envoy", "", x509.ExtKeyUsageClientAuth, "envoy-gateway-ca"},
	}
	for _, c := range cases {
		cert, _, err := readPair(r.Path("pki", c.name))
		if err != nil {
			t.Fatal(err)
		}
		ca, _, err := readPair(r.Path("pki", c.authority))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(ca)
		opts := x509.VerifyOptions{Roots: roots, DNSName: c.host, KeyUsages: []x509.ExtKeyUsage{c.usage}}
		if _, err := cert.Verify(opts); err != nil {
			t.Errorf("%s for %q: %v", c.name, c.host, err)
		}
	}
}

func TestSecondRunKeepsWhatIsThere(t *testing.T) {
	r := region(t)
	if err := Execute(r); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(r.Path("pki", "apiserver.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(r.Path("pki", "admin.crt")); err != nil {
		t.Fatal(err)
	}
	if err := Execute(r); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(r.Path("pki", "apiserver.crt"))
	if err != nil || string(before) != string(after) {
		t.Errorf("the API server's certificate changed (%v)", err)
	}
	if _, _, err := readPair(r.Path("pki", "admin")); err != nil {
		t.Errorf("the missing certificate was not made again: %v", err)
	}
}

func TestPrivateFilesAreClosed(t *testing.T) {
	r := region(t)
	if err := Execute(r); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(r.Path("pki"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is open: %v %v", f.Name(), info.Mode(), err)
		}
	}
}

func TestKubeconfigHasAContextForEachRegion(t *testing.T) {
	i := topology.Instance{Name: "dev", Dir: t.TempDir(), Octet: 200, RegionNames: []string{"local-1", "local-2"}}
	for _, r := range i.Regions() {
		if err := Execute(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteKubeconfig(i); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(i.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := clientcmd.Validate(*config); err != nil {
		t.Error(err)
	}
	if config.CurrentContext != "local-1" || len(config.Contexts) != 2 {
		t.Errorf("current %q, contexts %v", config.CurrentContext, config.Contexts)
	}
}
