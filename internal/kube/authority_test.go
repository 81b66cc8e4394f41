package kube_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

// signedCertificate registers a certificate and returns what its Secret holds.
func signedCertificate(t *testing.T, name string, dnsNames ...string) map[string][]byte {
	t.Helper()
	recording := pulumitest.UpRevealed(t, func(ctx *pulumi.Context) error {
		_, err := kube.NewSignedCertificate(ctx, name, kube.Metadata{Name: name}, dnsNames)
		return err
	})
	authority := recording.Find(t, "kubernetes:core/v1:Secret", name+"-authority")
	if !slices.Equal(authority.IgnoreChanges, []string{"data"}) {
		t.Errorf("the authority ignores changes of %v, want data", authority.IgnoreChanges)
	}
	secret := recording.Find(t, "kubernetes:core/v1:Secret", name)
	if secret.At("type") != "kubernetes.io/tls" || secret.IgnoreChanges != nil {
		t.Errorf("type %v, ignoreChanges %v", secret.At("type"), secret.IgnoreChanges)
	}
	values := map[string][]byte{}
	for _, key := range []string{kube.CAFile, kube.CertificateFile, kube.KeyFile} {
		encoded, _ := secret.At("data", key).(string)
		value, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		values[key] = value
	}
	return values
}

func TestSignedCertificate(t *testing.T) {
	first := signedCertificate(t, "edge", "api.example.com", "eu.api.example.com")
	again := signedCertificate(t, "edge", "api.example.com", "eu.api.example.com")
	renamed := signedCertificate(t, "edge", "api.example.org")
	other := signedCertificate(t, "other", "api.example.com")
	if !bytes.Equal(first[kube.CertificateFile], again[kube.CertificateFile]) {
		t.Error("another run makes another certificate of the same authority and names")
	}
	if !bytes.Equal(first[kube.CAFile], renamed[kube.CAFile]) {
		t.Error("another name makes another authority")
	}
	for name, test := range map[string]struct {
		shown, trusted map[string][]byte
		server         string
		want           bool
	}{
		"first name":           {first, first, "api.example.com", true},
		"second name":          {first, first, "eu.api.example.com", true},
		"no name of its":       {first, first, "api.example.org", false},
		"name of a later run":  {renamed, first, "api.example.org", true},
		"name of an early run": {renamed, first, "api.example.com", false},
		"another authority":    {first, other, "api.example.com", false},
	} {
		t.Run(name, func(t *testing.T) {
			pair, err := tls.X509KeyPair(test.shown[kube.CertificateFile], test.shown[kube.KeyFile])
			if err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			if !roots.AppendCertsFromPEM(test.trusted[kube.CAFile]) {
				t.Fatal("no authority")
			}
			err = handshake(t, pair, &tls.Config{RootCAs: roots, ServerName: test.server})
			if trusted := err == nil; trusted != test.want {
				t.Errorf("trusted %v (%v), want %v", trusted, err, test.want)
			}
		})
	}
}

func TestStatusIsUnknownInPreview(t *testing.T) {
	gateway := func(known *bool) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			object, err := kube.NewCustomResource(ctx, "g", kube.CustomResource[struct{}]{
				APIVersion: "gateway.networking.k8s.io/v1", Kind: "Gateway",
			})
			if err != nil {
				return err
			}
			object.Status.ApplyT(func(status any) any {
				*known = status != nil
				return status
			})
			return nil
		}
	}
	var inUp, inPreview bool
	pulumitest.Up(t, gateway(&inUp))
	pulumitest.Preview(t, gateway(&inPreview))
	if !inUp || inPreview {
		t.Errorf("known in an update: %v, in a preview: %v", inUp, inPreview)
	}
}
