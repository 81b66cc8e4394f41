package images

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
)

func TestCatalog(t *testing.T) {
	numeric := regexp.MustCompile(`^\d+(:\d+)?$`)
	names, refs := map[string]bool{}, map[string]bool{}
	for _, img := range All() {
		if names[img.Name] {
			t.Errorf("two images are named %s", img.Name)
		}
		if img.base != "" && !names[img.base] {
			t.Errorf("%s comes before its base %s", img.Name, img.base)
		}
		names[img.Name] = true
		if (img.Package == "") != (img.Release == "") {
			t.Errorf("%s: a release needs the package it speaks about", img.Name)
		}
		if user := img.Config.User; user != "" && !numeric.MatchString(user) {
			t.Errorf("%s: user %q is not numeric, so runAsNonRoot cannot be verified", img.Name, user)
		}
		if len(img.Refs) == 0 {
			t.Errorf("%s has no name in the mirror", img.Name)
		}
		for _, ref := range img.Refs {
			tag, err := name.NewTag(ref, name.StrictValidation)
			if err != nil || tag.TagStr() == "latest" || refs[ref] {
				t.Errorf("%s: bad or repeated name %s: %v", img.Name, ref, err)
			}
			refs[ref] = true
		}
	}
}

func TestUpstreamVersion(t *testing.T) {
	for full, want := range map[string]string{
		"5:8.0.2-3+deb13u3":  "8.0.2",
		"17.12-0+deb13u1":    "17.12",
		"1.24.1-1+deb13u2":   "1.24.1",
		"13.8+deb13u7":       "13.8",
		"2025b-4+deb13u1\n":  "2025b",
		"1:2.3-rc1-0ubuntu1": "2.3-rc1",
	} {
		if got := upstreamVersion(full); got != want {
			t.Errorf("upstreamVersion(%q) = %q, want %q", full, got, want)
		}
	}
}

// The wanted bytes are what setcap cap_net_bind_service=+ep wrote.
func TestNetBindService(t *testing.T) {
	want := []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if got := netBindService(); !bytes.Equal(got, want) {
		t.Errorf("capability is %v, want %v", got, want)
	}
}
