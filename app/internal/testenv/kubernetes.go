package testenv

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// KubernetesUser is who calls Kubernetes with Secret as the token.
const KubernetesUser = "user"

// administrator is the token of a caller who may do everything.
const administrator = "administrator"

// Kubernetes is a real API server with a store of its own for one test. Objects are stored, and nobody acts on them.
type Kubernetes struct {
	// URL is where it answers, and CA the file with its authority.
	URL, CA string

	client http.Client
}

// NewKubernetes starts a server. Its programs are in the folder that AGENTSTACK_TOOLS names.
func NewKubernetes(t testing.TB) *Kubernetes {
	t.Helper()
	dir, ports := directory(t), freePorts(t, 3)
	tokens := filepath.Join(dir, "tokens.csv")
	users := administrator + ",administrator,1,system:masters\n" + Secret + "," + KubernetesUser + ",2\n"
	if err := os.WriteFile(tokens, []byte(users), 0o600); err != nil {
		t.Fatalf("write tokens: %v", err)
	}
	own(t, tokens)
	NewAuthority(t).issue(t, dir, "127.0.0.1")
	program := func(name string) string { return filepath.Join(os.Getenv("AGENTSTACK_TOOLS"), name) }
	store, peers := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
	startProcess(t, dir, program("etcd"), "--data-dir", "etcd", "--unsafe-no-fsync", "--listen-client-urls", store,
		"--advertise-client-urls", store, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
		"--initial-cluster", "default="+peers)
	server := startProcess(t, dir, program("kube-apiserver"), "--etcd-servers", store, "--bind-address", "127.0.0.1",
		"--secure-port", ports[2], "--tls-cert-file", "server.crt", "--tls-private-key-file", "server.key",
		"--cert-dir", "certificates", "--token-auth-file", tokens, "--authorization-mode", "RBAC",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", "server.crt",
		"--service-account-signing-key-file", "server.key", "--service-cluster-ip-range", "10.96.0.0/16",
		"--disable-admission-plugins", "ServiceAccount")
	k := &Kubernetes{URL: "https://127.0.0.1:" + ports[2], CA: filepath.Join(dir, "ca.crt")}
	authority, err := os.ReadFile(k.CA)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	k.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	server.wait(t, func() error { return k.Call(http.MethodGet, "/readyz", "") })
	return k
}

// Call calls as an administrator, with a body in JSON, which for PATCH is a merge patch. An answer that is no success
// is an error.
func (k *Kubernetes) Call(method, path, body string) error {
	request, err := http.NewRequest(method, k.URL+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+administrator)
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	response, err := k.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode > 299 {
		err = fmt.Errorf("%s %s: %s\n%s", method, path, response.Status, answer)
	}
	return err
}
