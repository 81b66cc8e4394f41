package acme_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"testing"

	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// authority is a Pebble: the ACME server that the makers of Let's Encrypt have for tests.
type authority struct {
	// directory is its URL, and caBundle in base64 what its TLS is to be trusted by.
	directory, caBundle string
	// roots are who signs the certificates that it issues.
	roots *x509.CertPool
}

// startAuthority runs a Pebble that asks a name server for hosts, and them at port 80.
func startAuthority(t *testing.T, nameServer string) authority {
	t.Helper()
	// Neither waits of up to 15 seconds, nor answers from an earlier challenge.
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_AUTHZREUSE", "0")
	const httpPort, tlsPort = 80, 443
	logger := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	issuer := ca.New(logger, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	validation := va.New(logger, httpPort, tlsPort, true, nameServer, store)
	front := wfe.New(logger, store, validation, issuer, []string{"pebble.letsencrypt.org"}, true, false, 1, 1)
	server := httptest.NewTLSServer(front.Handler())
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(issuer.GetRootCert(0).Cert)
	return authority{
		directory: server.URL + wfe.DirectoryPath,
		caBundle: base64.StdEncoding.EncodeToString(pem.EncodeToMemory(
			&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})),
		roots: roots,
	}
}

// startNameServer runs a name server that knows one address for every name, and returns where it listens.
func startNameServer(t *testing.T, address string) string {
	t.Helper()
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a port for the name server: %v", err)
	}
	listen := free.LocalAddr().String()
	if err := free.Close(); err != nil {
		t.Fatalf("free the port for the name server: %v", err)
	}
	server, err := challtestsrv.New(challtestsrv.Config{DNSAddrs: []string{listen}, Log: log.New(io.Discard, "", 0)})
	if err != nil {
		t.Fatalf("make name server: %v", err)
	}
	server.SetDefaultDNSIPv4(address)
	server.SetDefaultDNSIPv6("")
	server.Run()
	t.Cleanup(server.Shutdown)
	return listen
}
