package supplychain

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// besides returns the digests of what lies beside an image, by tag.
func besides(t *testing.T, reference string) map[string]string {
	t.Helper()
	digest, err := name.NewDigest(reference)
	must(t, err)
	tags, err := remote.List(digest.Context())
	must(t, err)
	found := map[string]string{}
	for _, tag := range tags {
		if !strings.HasPrefix(tag, "sha256-") {
			continue
		}
		head, err := remote.Head(digest.Context().Tag(tag))
		must(t, err)
		found[tag] = head.Digest.String()
	}
	return found
}

func TestSecondTimeNothingIsPushed(t *testing.T) {
	r := startRegistry(t)
	reference, key := r.pushProgram(t, "api"), newKey(t)
	attach(t, reference, key)
	before := besides(t, reference)
	_, digest, _ := strings.Cut(reference, "@sha256:")
	if len(before) != 2 || before["sha256-"+digest+".sig"] == "" || before["sha256-"+digest+".att"] == "" {
		t.Fatalf("beside %s is %v", reference, before)
	}
	r.changes.Store(0)
	attach(t, reference, key)
	if changes := r.changes.Load(); changes != 0 {
		t.Errorf("the second time made %d requests that change something", changes)
	}
	// The counter counts: another key is a reason to push.
	attach(t, reference, newKey(t))
	if r.changes.Load() == 0 {
		t.Error("a new key pushed nothing")
	}
}

func TestWhatIsMissingIsPushed(t *testing.T) {
	r := startRegistry(t)
	reference, other, key := r.pushProgram(t, "api"), r.pushProgram(t, "other"), newKey(t)
	attach(t, reference, key)
	attach(t, other, key)
	tagOf := func(reference, suffix string) name.Tag {
		digest, err := name.NewDigest(reference)
		must(t, err)
		return digest.Context().Tag(strings.Replace(digest.DigestStr(), ":", "-", 1) + "." + suffix)
	}
	for _, suffix := range []string{"sig", "att"} {
		tag := tagOf(reference, suffix)
		whole, err := remote.Image(tag)
		must(t, err)
		damaged := damages(t, whole)
		damaged["of another image"], err = remote.Image(tagOf(other, suffix))
		must(t, err)
		for what, damaged := range damaged {
			must(t, remote.Write(tag, damaged))
			if err := cosign(t, suffix, reference, key); err == nil {
				t.Errorf("%s: cosign accepts a damaged %s", what, suffix)
			}
			attach(t, reference, key)
			if err := cosign(t, suffix, reference, key); err != nil {
				t.Errorf("%s: the %s was not made anew: %v", what, suffix, err)
			}
		}
	}
}

func TestFailuresAreNamed(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	r := startRegistry(t)
	reference := r.pushProgram(t, "api")
	missing := strings.Split(reference, "@")[0] + "@sha256:" + strings.Repeat("0", 64)
	noProgram := r.push(t, "data", map[string][]byte{"etc/ca.crt": []byte("certificates")})
	unreachable := "127.0.0.1:1/team/api@" + strings.Split(reference, "@")[1]
	r.locked.Store(true)
	login := Image{Username: user, Password: password}
	for name, test := range map[string]struct {
		reference string
		login     Image
		want      string
	}{
		"no digest":      {"registry.example.com/api:1", login, "sign image: "},
		"no image":       {missing, login, "attach bill of materials of image " + missing + ": read image: "},
		"no Go program":  {noProgram, login, "it has none that Go built"},
		"unreachable":    {unreachable, login, "connection refused"},
		"wrong password": {reference, Image{Username: user, Password: "wrong-password"}, "401 Unauthorized"},
		"no login":       {reference, Image{}, "401 Unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			test.login.Reference = test.reference
			r.changes.Store(0)
			err := Attach(t.Context(), test.login, newKey(t))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want one with %q", err, test.want)
			} else if strings.Contains(err.Error(), "wrong-password") || strings.Contains(err.Error(), password) {
				t.Errorf("a password is shown: %v", err)
			}
			if r.changes.Load() != 0 {
				t.Error("something was pushed")
			}
		})
	}
	login.Reference = reference
	must(t, Attach(t.Context(), login, newKey(t)))
}
