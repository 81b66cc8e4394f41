package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"time"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Keys of a Secret of NewCertificate. https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets
const (
	CertificateFile = "tls.crt"
	KeyFile         = "tls.key"
)

// certificateYears is how long a certificate of NewCertificate is valid.
const certificateYears = 10

// NewCertificate registers a Secret with a key and a certificate for a server of the given DNS names. The certificate
// signs itself: a client that takes it for its authority trusts this server and nobody else. As with Generate, each run
// makes a pair and the first one stays. For a new one, delete the Secret in Kubernetes and run `pulumi up --refresh`.
func NewCertificate(ctx *pulumi.Context, name string, meta Metadata, dnsNames []string, opts ...pulumi.ResourceOption,
) (*corev1.Secret, error) {
	certificate, key, err := selfSigned(dnsNames, time.Now())
	if err != nil {
		return nil, fmt.Errorf("make certificate for %s: %w", name, err)
	}
	return NewSecretOfType(ctx, name, meta, "kubernetes.io/tls", pulumi.StringMap{
		CertificateFile: pulumi.String(certificate), KeyFile: pulumi.String(key),
	}, append(opts, keepData)...)
}

// selfSigned returns a certificate and its key in PEM. It is valid from an hour before now: clocks differ.
func selfSigned(dnsNames []string, now time.Time) (certificate, key string, err error) {
	private, key, err := newKey()
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: dnsNames[0]},
		DNSNames:    dnsNames,
		NotBefore:   now.Add(-time.Hour),
		NotAfter:    now.AddDate(certificateYears, 0, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return "", "", fmt.Errorf("sign certificate: %w", err)
	}
	return encodeBlock(certificateBlock, signed), key, nil
}

// newKey returns a key, and the same in PEM.
func newKey() (private *ecdsa.PrivateKey, encoded string, err error) {
	private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", fmt.Errorf("generate key: %w", err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, "", fmt.Errorf("encode key: %w", err)
	}
	return private, encodeBlock("PRIVATE KEY", bytes), nil
}

const certificateBlock = "CERTIFICATE"

func encodeBlock(kind string, bytes []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
}
