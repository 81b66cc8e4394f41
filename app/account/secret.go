package account

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// The prefixes tell what a text is, to this service and to scanners for leaked secrets.
const (
	keyPrefix     = "ask_"
	refreshPrefix = "asr_"
)

const (
	secretBytes = 32
	idDigits    = 32 // of a UUID without dashes
)

// secretDigits is the length of the secret part in base64url.
var secretDigits = base64.RawURLEncoding.EncodedLen(secretBytes)

// hash is the SHA-256 of a secret part. Secrets are random, so a slow hash would add nothing.
type hash = [sha256.Size]byte

// newSecret returns <prefix><id without dashes>_<43 random characters> and the hash of the last part.
func newSecret(prefix, id string) (text string, sum hash) {
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // never fails: it ends the program instead
	secret := base64.RawURLEncoding.EncodeToString(random)
	return prefix + strings.ReplaceAll(id, "-", "") + "_" + secret, hashText(secret)
}

// parseSecret takes a text of newSecret apart. The digits are the id without dashes, a part of the text.
func parseSecret(prefix, text string) (digits string, sum hash, ok bool) {
	rest, found := strings.CutPrefix(text, prefix)
	if !found || len(rest) != idDigits+1+secretDigits || rest[idDigits] != '_' {
		return "", hash{}, false
	}
	for _, c := range []byte(rest[:idDigits]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", hash{}, false
		}
	}
	return rest[:idDigits], hashText(rest[idDigits+1:]), true
}

// hashText copies short texts to the stack, since this runs with every request.
func hashText(text string) hash {
	var buffer [64]byte
	return sha256.Sum256(append(buffer[:0], text...))
}

// uuid puts the dashes into 32 digits.
func uuid(digits string) string {
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}

func sameHash(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// sameText takes a time that does not depend on either text's beginning or length.
func sameText(a, b string) bool {
	sumA, sumB := hashText(a), hashText(b)
	return sameHash(sumA[:], sumB[:])
}
