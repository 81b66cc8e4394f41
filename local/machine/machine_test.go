package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOnlyDebianIsSupported(t *testing.T) {
	cases := map[string]bool{
		"ID=debian\nVERSION_ID=\"12\"\n": true,
		"ID=ubuntu\nID_LIKE=debian\n":    true,
		"ID=fedora\n":                    false,
		"":                               false,
	}
	for content, supported := range cases {
		if err := checkDebian(write(t, content)); (err == nil) != supported {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestTooLittleDiskNamesTheWayOut(t *testing.T) {
	err := enough("/var/lib/agentstack", 3<<30, 22<<30)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"3 GiB free", "22 GiB needed", "AGENTSTACK_STATE"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %q", want, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
}

func TestServicesAreKeptFromStarting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy-rc.d")
	restore, err := denyServiceStarts(path)
	if err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(path); err != nil || !strings.Contains(string(content), "exit 101") {
		t.Errorf("policy %q, %v", content, err)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the policy stays: %v", err)
	}
}

func TestAnOwnersPolicyStays(t *testing.T) {
	path := write(t, "#!/bin/sh\nexit 0\n")
	restore, err := denyServiceStarts(path)
	if err != nil || restore() != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(path); err != nil || !strings.Contains(string(content), "exit 0") {
		t.Errorf("policy %q, %v", content, err)
	}
}
