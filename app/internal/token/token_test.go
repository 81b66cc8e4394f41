package token

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"agentstack/app/account"
	"agentstack/app/problem"
)

var (
	_ account.Signer = (*Signer)(nil)

	oldKey = bytes.Repeat([]byte("o"), minKey)
	newKey = bytes.Repeat([]byte("n"), minKey)
)

func newSigner(t testing.TB, keys ...[]byte) *Signer {
	t.Helper()
	signer, err := NewSigner(keys)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func someClaims() account.Claims {
	return account.Claims{TenantID: "t", UserID: "u", LoginID: "l", Role: account.RoleMember,
		ExpiresAt: time.Now().Add(15 * time.Minute).UTC().Truncate(time.Second)}
}

func sign(t testing.TB, signer *Signer, claims account.Claims) string {
	t.Helper()
	text, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var known *problem.Error
	if !errors.As(err, &known) || known.Kind != problem.Unauthenticated || known.Code != code {
		t.Errorf("error %v, want code %s", err, code)
	}
}

func TestNewSigner(t *testing.T) {
	for name, keys := range map[string][][]byte{
		"none":         nil,
		"short":        {newKey[:minKey-1]},
		"second short": {newKey, oldKey[:minKey-1]},
	} {
		if _, err := NewSigner(keys); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "nnn") {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
}

func TestRotation(t *testing.T) {
	before, during, after := newSigner(t, oldKey), newSigner(t, newKey, oldKey), newSigner(t, newKey)
	claims := someClaims()
	byOld, byNew := sign(t, before, claims), sign(t, during, claims)
	for name, test := range map[string]struct {
		signer *Signer
		token  string
		good   bool
	}{
		"old key, before": {before, byOld, true},
		"old key, during": {during, byOld, true},
		"new key, during": {during, byNew, true},
		"new key, after":  {after, byNew, true},
		"old key, after":  {after, byOld, false},
		"new key, before": {before, byNew, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.signer.Verify(test.token)
			if !test.good {
				wantCode(t, err, "invalid_token")
				return
			}
			got.ExpiresAt = got.ExpiresAt.UTC()
			if err != nil || got != claims {
				t.Errorf("%+v, %v, want %+v", got, err, claims)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signer := newSigner(t, newKey)
		text := sign(t, signer, someClaims())
		time.Sleep(15*time.Minute + leeway - time.Millisecond)
		if _, err := signer.Verify(text); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Millisecond)
		_, err := signer.Verify(text)
		wantCode(t, err, "token_expired")
		// An expired token of someone else says nothing about when.
		_, err = newSigner(t, oldKey).Verify(text)
		wantCode(t, err, "invalid_token")
	})
}

// full are the claims of a token that is accepted, for a test to spoil.
func full() jwt.MapClaims {
	now := time.Now().Unix()
	return jwt.MapClaims{"iss": issuer, "aud": audience, "sub": "u", "tenant_id": "t", "login_id": "l",
		"role": "owner", "iat": now, "exp": now + 60}
}

func TestClaims(t *testing.T) {
	signer := newSigner(t, newKey)
	for name, test := range map[string]struct {
		claim string
		value any // nil removes the claim
		code  string
	}{
		"good":                 {"role", "owner", ""},
		"audiences":            {"aud", []string{"other", audience}, ""},
		"other audience":       {"aud", "other", "invalid_token"},
		"no audience":          {"aud", nil, "invalid_token"},
		"other issuer":         {"iss", "other", "invalid_token"},
		"no issuer":            {"iss", nil, "invalid_token"},
		"no expiry":            {"exp", nil, "invalid_token"},
		"expiry as text":       {"exp", "tomorrow", "invalid_token"},
		"expired":              {"exp", time.Now().Add(-time.Minute).Unix(), "token_expired"},
		"no issue time":        {"iat", nil, "invalid_token"},
		"issued tomorrow":      {"iat", time.Now().Add(24 * time.Hour).Unix(), "invalid_token"},
		"issued now, by clock": {"iat", time.Now().Add(3 * time.Second).Unix(), ""},
		"not yet":              {"nbf", time.Now().Add(time.Hour).Unix(), "invalid_token"},
		"no user":              {"sub", nil, "invalid_token"},
		"no tenant":            {"tenant_id", nil, "invalid_token"},
		"no login":             {"login_id", "", "invalid_token"},
		"tenant as number":     {"tenant_id", 1, "invalid_token"},
	} {
		t.Run(name, func(t *testing.T) {
			claims := full()
			claims[test.claim] = test.value
			if test.value == nil {
				delete(claims, test.claim)
			}
			token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
			token.Header["kid"] = signer.id
			text, err := token.SignedString(newKey)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = signer.Verify(text); test.code != "" {
				wantCode(t, err, test.code)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSignatures(t *testing.T) {
	signer := newSigner(t, newKey)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		method jwt.SigningMethod
		key    any
		kid    any
		good   bool
	}{
		"good":          {jwt.SigningMethodHS256, newKey, signer.id, true},
		"none":          {jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, signer.id, false},
		"HS512":         {jwt.SigningMethodHS512, newKey, signer.id, false},
		"RS256":         {jwt.SigningMethodRS256, rsaKey, signer.id, false},
		"unknown kid":   {jwt.SigningMethodHS256, newKey, "other", false},
		"no kid":        {jwt.SigningMethodHS256, newKey, nil, false},
		"kid no text":   {jwt.SigningMethodHS256, newKey, 1, false},
		"another's key": {jwt.SigningMethodHS256, oldKey, signer.id, false},
		"empty key":     {jwt.SigningMethodHS256, []byte{}, signer.id, false},
	} {
		t.Run(name, func(t *testing.T) {
			token := jwt.NewWithClaims(test.method, full())
			token.Header["kid"] = test.kid
			text, err := token.SignedString(test.key)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = signer.Verify(text); !test.good {
				wantCode(t, err, "invalid_token")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTampered(t *testing.T) {
	signer := newSigner(t, newKey)
	text := sign(t, signer, someClaims())
	for i := range text {
		replacement := byte('A')
		if text[i] == replacement {
			replacement = 'B'
		}
		if _, err := signer.Verify(text[:i] + string(replacement) + text[i+1:]); err == nil {
			t.Errorf("a change of character %d is not noticed", i)
		}
	}
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if spoiled := text[:len(text)-1] + string(last); spoiled != text {
			_, err := signer.Verify(spoiled)
			wantCode(t, err, "invalid_token")
		}
	}
	parts := strings.Split(text, ".")
	for name, spoiled := range map[string]string{
		"empty":        "",
		"no signature": parts[0] + "." + parts[1] + ".",
		"two parts":    parts[0] + "." + parts[1],
		"four parts":   text + "." + parts[2],
		"padding":      text + "=",
		"space":        text + " ",
		"newline":      text + "\n",
		"too long":     strings.Repeat("a", maxToken) + text,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := signer.Verify(spoiled)
			wantCode(t, err, "invalid_token")
		})
	}
}

// Only what was signed is accepted, whatever else comes.
func FuzzVerify(f *testing.F) {
	signer := newSigner(f, newKey)
	good := sign(f, signer, someClaims())
	for _, seed := range []string{good, good[:len(good)-1], strings.ToLower(good), "..", "a.b.c", "",
		"eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA", strings.Repeat(".", 5000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		claims, err := signer.Verify(text)
		if err == nil && text != good {
			t.Errorf("%q is accepted: %+v", text, claims)
		}
		if err != nil && claims != (account.Claims{}) {
			t.Errorf("%q is refused, but gives %+v", text, claims)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	signer := newSigner(b, newKey)
	text := sign(b, signer, someClaims())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := signer.Verify(text); err != nil {
			b.Fatal(err)
		}
	}
}
