package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Authority signs certificates of servers.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes an authority that nobody else trusts.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	template := certificate("authority")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	key := newKey(t)
	return &Authority{sign(t, template, template, key, key), key}
}

// WriteFile writes the authority's certificate to a file in one step, as the kubelet does.
func (a *Authority) WriteFile(t testing.TB, path string) {
	t.Helper()
	writeFile(t, path+".new", "CERTIFICATE", a.certificate.Raw)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatalf("write authority: %v", err)
	}
}

// issue writes server.crt for hosts or addresses, its server.key and ca.crt to a folder that servers read.
func (a *Authority) issue(t testing.TB, dir string, hosts ...string) {
	t.Helper()
	template := certificate("server")
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	key := newKey(t)
	signed := sign(t, template, a.certificate, key, a.key)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatalf("encode key: %v", err)
	}
	writeFile(t, filepath.Join(dir, "ca.crt"), "CERTIFICATE", a.certificate.Raw)
	writeFile(t, filepath.Join(dir, "server.crt"), "CERTIFICATE", signed.Raw)
	writeFile(t, filepath.Join(dir, "server.key"), "PRIVATE KEY", encoded)
}

// ServeTLS gives the server a certificate for hosts or addresses. A server that runs takes it over for new connections
// if it served TLS before.
func (p *Postgres) ServeTLS(t testing.TB, authority *Authority, hosts ...string) {
	t.Helper()
	authority.issue(t, p.data(), hosts...)
	if p.tlsPort == "" {
		p.tlsPort = freePorts(t, 1)[0]
	}
	if p.server != nil {
		if err := p.server.command.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatalf("reload certificate: %v", err)
		}
	}
}

// TLSURL returns the URL of a database for a role, over TLS. The certificate must be signed by the authority in a file.
func (p *Postgres) TLSURL(role, database, authorityFile string) string {
	return fmt.Sprintf("postgres://%s:%s@localhost:%s/%s?sslmode=verify-full&sslrootcert=%s",
		role, Secret, p.tlsPort, database, authorityFile)
}

func certificate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("make key: %v", err)
	}
	return key
}

func sign(t testing.TB, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	encoded, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatalf("sign certificate: %v", err)
	}
	signed, err := x509.ParseCertificate(encoded)
	if err != nil {
		t.Fatalf("read certificate: %v", err)
	}
	return signed
}

func writeFile(t testing.TB, path, kind string, content []byte) {
	t.Helper()
	encoded := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
	if err := os.WriteFile(path, encoded, 0o600); err != nil {
		t.Fatalf("write %s: %v", kind, err)
	}
	own(t, path)
}
