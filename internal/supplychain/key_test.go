package supplychain

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

func TestOtherKeysAreRefused(t *testing.T) {
	encoded := func(kind string, key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		must(t, err)
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	small, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	good := encoded("PRIVATE KEY", small)
	if _, err := ParseKey(good); err != nil {
		t.Errorf("a good key: %v", err)
	}
	for name, text := range map[string]string{
		"empty":         "",
		"no PEM":        "hunter2",
		"cut":           good[:len(good)/2],
		"encrypted":     encoded("ENCRYPTED SIGSTORE PRIVATE KEY", small),
		"another curve": encoded("PRIVATE KEY", large),
		"another kind":  encoded("PRIVATE KEY", edwards),
	} {
		_, err := ParseKey(text)
		if err == nil || !strings.Contains(err.Error(), "openssl genpkey") {
			t.Errorf("%s: error = %v", name, err)
		} else if len(text) > 0 && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the key is shown: %v", name, err)
		}
	}
}
