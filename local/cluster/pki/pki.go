// Package pki makes the certificates and kubeconfigs of a region: its own authority, and one certificate for each
// component that serves or calls.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"agentstack/local/cluster/topology"
)

// validity is how long certificates last. The local cloud has no rotation; `reset` makes new ones.
const validity = 10 * 365 * 24 * time.Hour

// authority is a certificate with its key, and where it lies.
type authority struct {
	dir, name string
	cert      *x509.Certificate
	key       *ecdsa.PrivateKey
}

// subject is what a certificate says of its holder.
type subject struct {
	commonName    string
	organization  []string
	hosts         []string
	clientAllowed bool
}

// Execute makes what is missing of a region's certificates and kubeconfigs, and leaves what is there.
func Execute(r topology.Region) error {
	dir := r.Path("pki")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make pki folder: %w", err)
	}
	ca, err := ensureAuthority(dir, "ca")
	if err != nil {
		return err
	}
	frontProxy, err := ensureAuthority(dir, "front-proxy-ca")
	if err != nil {
		return err
	}
	edge, err := ensureAuthority(dir, "envoy-gateway-ca")
	if err != nil {
		return err
	}
	for _, name := range []string{"service-accounts.key", "envoy-gateway-hmac.key"} {
		if err := ensureKey(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return errors.Join(
		ca.ensure("apiserver", subject{commonName: "kube-apiserver", hosts: apiServerHosts(r)}),
		ca.ensure("apiserver-kubelet-client", client("kube-apiserver-kubelet-client", "system:masters")),
		frontProxy.ensure("front-proxy-client", client("front-proxy-client")),
		ca.ensure("metrics-server", subject{commonName: "metrics-server",
			hosts: []string{"metrics-server.kube-system.svc"}}),
		edge.ensure("envoy-gateway", subject{commonName: "envoy-gateway", hosts: []string{"envoy-gateway"}}),
		edge.ensure("envoy", client("envoy")),
		ca.ensureKubeconfig(r, "admin", client("kubernetes-admin", "system:masters")),
		ca.ensureKubeconfig(r, "controller-manager", client("system:kube-controller-manager")),
		ca.ensureKubeconfig(r, "scheduler", client("system:kube-scheduler")),
		ca.ensureKubeconfig(r, "kube-proxy", client("system:kube-proxy")),
		ca.ensureKubeconfig(r, "netpol", client("system:netpol")),
		ensureNodes(ca, r),
	)
}

func ensureNodes(ca *authority, r topology.Region) error {
	var errs []error
	for _, n := range r.Nodes {
		errs = append(errs,
			ca.ensure("kubelet-"+n.Name, subject{commonName: "system:node:" + n.Name,
				organization: []string{"system:nodes"}, hosts: []string{n.Name, n.Address}}),
			ca.ensureKubeconfig(r, n.Name, client("system:node:"+n.Name, "system:nodes")))
	}
	return errors.Join(errs...)
}

func apiServerHosts(r topology.Region) []string {
	return []string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		"localhost", "127.0.0.1", r.KubernetesService, r.ControlPlane,
	}
}

func client(commonName string, organization ...string) subject {
	return subject{commonName: commonName, organization: organization, clientAllowed: true}
}

func ensureAuthority(dir, name string) (*authority, error) {
	a := &authority{dir: dir, name: name}
	cert, key, err := readPair(a.path(name))
	if err == nil {
		a.cert, a.key = cert, key
		return a, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "agentstack-" + name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if err := a.issue(name, template); err != nil {
		return nil, err
	}
	a.cert, a.key, err = readPair(a.path(name))
	return a, err
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) ensure(name string, s subject) error {
	if _, _, err := readPair(a.path(name)); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: s.commonName, Organization: s.organization},
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if s.clientAllowed {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	} else {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	for _, host := range s.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return a.issue(name, template)
}

// issue writes the certificate last, so that a pair whose writing was killed is made again.
func (a *authority) issue(name string, template *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("generate key %s: %w", name, err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		return fmt.Errorf("draw serial number: %w", err)
	}
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(validity)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return fmt.Errorf("sign certificate %s: %w", name, err)
	}
	if err := writeKey(a.path(name)+".key", key); err != nil {
		return err
	}
	return write(a.path(name)+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
