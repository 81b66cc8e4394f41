package kube_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

const serverName = "adapter.monitoring.svc"

// newCertificate returns what the Secret of a certificate holds.
func newCertificate(t *testing.T) (certificate, key []byte) {
	t.Helper()
	secret := pulumitest.UpRevealed(t, func(ctx *pulumi.Context) error {
		_, err := kube.NewCertificate(ctx, "s", kube.Metadata{Name: "s"}, []string{serverName})
		return err
	}).Find(t, "kubernetes:core/v1:Secret", "s")
	if secret.At("type") != "kubernetes.io/tls" || !slices.Equal(secret.IgnoreChanges, []string{"data"}) {
		t.Errorf("type %v, ignoreChanges %v", secret.At("type"), secret.IgnoreChanges)
	}
	decoded := func(name string) []byte {
		value, _ := secret.At("data", name).(string)
		plain, err := base64.StdEncoding.DecodeString(value)
		if err != nil || len(plain) == 0 {
			t.Fatalf("%s = %q, %v", name, value, err)
		}
		return plain
	}
	return decoded(kube.CertificateFile), decoded(kube.KeyFile)
}

// TestCertificateIsItsOwnAuthority lets a client that trusts a certificate connect to a server that shows another one.
func TestCertificateIsItsOwnAuthority(t *testing.T) {
	certificate, key := newCertificate(t)
	other, _ := newCertificate(t)
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, test := range map[string]struct {
		trusted []byte
		server  string
		when    time.Time
		want    bool
	}{
		"its own":                 {certificate, serverName, now, true},
		"that of another one":     {other, serverName, now, false},
		"another name":            {certificate, "adapter.default.svc", now, false},
		"after nine years":        {certificate, serverName, now.AddDate(9, 11, 0), true},
		"after ten years":         {certificate, serverName, now.AddDate(10, 0, 1), false},
		"by a clock that is late": {certificate, serverName, now.Add(-30 * time.Minute), true},
	} {
		t.Run(name, func(t *testing.T) {
			roots := x509.NewCertPool()
			if !roots.AppendCertsFromPEM(test.trusted) {
				t.Fatal("no certificate")
			}
			err := handshake(t, pair, &tls.Config{
				RootCAs: roots, ServerName: test.server, Time: func() time.Time { return test.when },
			})
			if trusted := err == nil; trusted != test.want {
				t.Errorf("trusted %v (%v), want %v", trusted, err, test.want)
			}
		})
	}
}

// handshake connects with a server that shows a certificate.
func handshake(t *testing.T, shown tls.Certificate, config *tls.Config) error {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{shown}}
	server.StartTLS()
	t.Cleanup(server.Close)
	connection, err := tls.Dial("tcp", server.Listener.Addr().String(), config)
	if err != nil {
		return err
	}
	return connection.Close()
}
