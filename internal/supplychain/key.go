package supplychain

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// Key signs images. It is a key for ECDSA on the curve P-256, the kind that cosign makes.
type Key struct {
	private *ecdsa.PrivateKey
}

// errNoKey says what ParseKey takes, and never shows what it was given.
var errNoKey = errors.New("must be an unencrypted private key on the curve P-256 in PEM, in the form of PKCS #8: " +
	"`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes one")

// NewKey returns a new private key in PEM, as ParseKey takes it.
func NewKey() (string, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("generate signing key: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", fmt.Errorf("encode signing key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})), nil
}

// ParseKey reads a private key in PEM. Its error tells what is wanted and shows nothing of the key.
func ParseKey(text string) (Key, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "PRIVATE KEY" {
		return Key{}, errNoKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, isECDSA := parsed.(*ecdsa.PrivateKey)
	if err != nil || !isECDSA || private.Curve != elliptic.P256() {
		return Key{}, errNoKey
	}
	return Key{private: private}, nil
}

// PublicKey returns the public key in PEM, as `cosign verify --key` takes it.
func (k Key) PublicKey() (string, error) {
	encoded, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		return "", fmt.Errorf("encode public key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encoded})), nil
}

// Sign implements dsse.Signer.
func (k Key) Sign(_ context.Context, data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	return ecdsa.SignASN1(rand.Reader, k.private, sum[:])
}

// Verify implements dsse.Verifier.
func (k Key) Verify(_ context.Context, data, signature []byte) error {
	sum := sha256.Sum256(data)
	if !ecdsa.VerifyASN1(&k.private.PublicKey, sum[:], signature) {
		return errors.New("the signature is not of this key")
	}
	return nil
}

// Public implements dsse.Verifier.
func (k Key) Public() crypto.PublicKey { return k.private.Public() }

// KeyID implements dsse.Signer and dsse.Verifier. Like cosign's, the key has no name.
func (k Key) KeyID() (string, error) { return "", nil }
