package kube

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumix"
)

// caKeyFile is the key of an authority's Secret with the private key of the authority.
const caKeyFile = "ca.key"

// NewSignedCertificate registers a Secret with the key and the certificate of a server with the given DNS names, and
// with the certificate of the authority that signed it, which clients trust (tls.key, tls.crt and ca.crt).
//
// The authority and the server's key are in a Secret of their own, <name>-authority, and stay once they are made. The
// certificate follows from them and from the names: the same ones give the same certificate, and another name a new one
// of the same authority. For a new authority, delete that Secret in Kubernetes and run `pulumi up --refresh`.
func NewSignedCertificate(ctx *pulumi.Context, name string, meta Metadata, dnsNames []string,
	opts ...pulumi.ResourceOption,
) (*corev1.Secret, error) {
	values, err := newAuthority(dnsNames[0], time.Now())
	if err != nil {
		return nil, fmt.Errorf("make authority for %s: %w", name, err)
	}
	authorityMeta := meta
	authorityMeta.Name += "-authority"
	authority, err := NewSecret(ctx, name+"-authority", authorityMeta, values, slices.Concat(opts,
		[]pulumi.ResourceOption{keepData})...)
	if err != nil {
		return nil, err
	}
	certificate := pulumix.ApplyErr(authority.Data, func(data map[string]string) (string, error) {
		return sign(data, dnsNames)
	})
	return NewSecretOfType(ctx, name, meta, "kubernetes.io/tls", pulumi.StringMap{
		CertificateFile: pulumix.Cast[pulumi.StringOutput](certificate),
		KeyFile:         Decoded(authority, KeyFile),
		CAFile:          Decoded(authority, CAFile),
	}, opts...)
}

// newAuthority returns the certificate and the key of an authority, and a key for its server.
func newAuthority(name string, now time.Time) (pulumi.StringMap, error) {
	private, encoded, err := newKey()
	if err != nil {
		return nil, err
	}
	_, serverKey, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Authority of " + name},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(certificateYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return pulumi.StringMap{
		CAFile:    pulumi.String(encodeBlock(certificateBlock, signed)),
		caKeyFile: pulumi.String(encoded),
		KeyFile:   pulumi.String(serverKey),
	}, nil
}

// sign returns the certificate for the server whose key is in the data of an authority's Secret. It draws nothing at
// random, so that it is the same in each run.
func sign(data map[string]string, dnsNames []string) (string, error) {
	authorityDER, err := decodeBlock(data[CAFile])
	if err != nil {
		return "", fmt.Errorf("decode certificate of authority: %w", err)
	}
	authority, err := x509.ParseCertificate(authorityDER)
	if err != nil {
		return "", fmt.Errorf("parse certificate of authority: %w", err)
	}
	authorityKey, err := parseKey(data[caKeyFile])
	if err != nil {
		return "", fmt.Errorf("parse key of authority: %w", err)
	}
	serverKey, err := parseKey(data[KeyFile])
	if err != nil {
		return "", fmt.Errorf("parse key of server: %w", err)
	}
	serial := sha256.Sum256([]byte(data[CAFile] + strings.Join(dnsNames, " ")))
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:16]),
		Subject:      pkix.Name{CommonName: dnsNames[0]},
		DNSNames:     dnsNames,
		NotBefore:    authority.NotBefore,
		NotAfter:     authority.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	// Without a source of randomness, ECDSA signs as in RFC 6979.
	signed, err := x509.CreateCertificate(nil, template, authority, serverKey.Public(), authorityKey)
	if err != nil {
		return "", fmt.Errorf("sign certificate: %w", err)
	}
	return encodeBlock(certificateBlock, signed), nil
}

func parseKey(value string) (crypto.Signer, error) {
	encoded, err := decodeBlock(value)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(encoded)
	if err != nil {
		return nil, err
	}
	signer, able := key.(crypto.Signer)
	if !able {
		return nil, errors.New("the key does not sign")
	}
	return signer, nil
}

// decodeBlock returns what is in the PEM of a value of a Secret's data.
func decodeBlock(value string) ([]byte, error) {
	text, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("not in PEM")
	}
	return block.Bytes, nil
}
