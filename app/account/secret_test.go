package account

import (
	"crypto/sha256"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSecrets(t *testing.T) {
	const id = "01900000-0000-7000-8000-0123456789ab"
	text, sum := newSecret(keyPrefix, id)
	again, _ := newSecret(keyPrefix, id)
	if text == again {
		t.Error("two secrets are the same")
	}
	if len(text) != 4+32+1+43 || !strings.HasPrefix(text, "ask_0190000000007000"+"80000123456789ab_") {
		t.Errorf("text %q", text)
	}
	if sum != sha256.Sum256([]byte(text[37:])) {
		t.Error("the hash is not the SHA-256 of the secret part")
	}
	digits, parsed, ok := parseSecret(keyPrefix, text)
	if !ok || uuid(digits) != id || parsed != sum {
		t.Errorf("parsed %q, %v", digits, ok)
	}
}

func TestSameText(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"", "", true}, {"a", "a", true}, {"a", "b", false}, {"a", "ab", false},
		{strings.Repeat("x", 100), strings.Repeat("x", 100), true},
		{strings.Repeat("x", 100), strings.Repeat("x", 99) + "y", false},
	} {
		if sameText(test.a, test.b) != test.same {
			t.Errorf("%q, %q: not %v", test.a, test.b, test.same)
		}
	}
}

// What parses is exactly one text: prefix, id, secret; nothing else may stand for the same credential.
func FuzzParseSecret(f *testing.F) {
	for _, prefix := range []string{keyPrefix, refreshPrefix} {
		text, _ := newSecret(prefix, "01900000-0000-7000-8000-0123456789ab")
		for _, seed := range []string{text, text[:len(text)-1], text + "A", strings.ToUpper(text), prefix, "",
			strings.Replace(text, "9", "-", 1), strings.Replace(text, "9", "\x00", 1)} {
			f.Add(seed)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, prefix := range []string{keyPrefix, refreshPrefix} {
			digits, sum, ok := parseSecret(prefix, text)
			if !ok {
				continue
			}
			id := uuid(digits)
			if len(id) != 36 || !utf8.ValidString(id) || strings.ToLower(id) != id {
				t.Errorf("%q gives id %q", text, id)
			}
			rest := text[len(prefix)+len(digits)+1:]
			if text != prefix+strings.ReplaceAll(id, "-", "")+"_"+rest || sum != hashText(rest) {
				t.Errorf("%q is not what it was made from", text)
			}
		}
	})
}

func FuzzNormalizeEmail(f *testing.F) {
	for _, seed := range []string{email, "A@B.c", "a b@c", "\"a\"@b", "a@[127.0.0.1]", "\xff@b", "ä@ö.at", "İ@b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		normal, err := normalizeEmail(text)
		if err != nil {
			return
		}
		if !printable(normal) || strings.ToLower(normal) != normal {
			t.Errorf("%q became %q", text, normal)
		}
	})
}
