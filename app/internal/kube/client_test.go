package kube

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"agentstack/app/internal/testenv"
)

// newClient serves TLS and writes the files of a service account that trusts it.
func newClient(t *testing.T, handler http.HandlerFunc) (client *Client, account string) {
	t.Helper()
	api := httptest.NewTLSServer(handler)
	t.Cleanup(api.Close)
	account = t.TempDir()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})
	for name, content := range map[string]string{"ca.crt": string(authority), "namespace": "ns\n", "token": "t\n"} {
		write(t, account, name, content)
	}
	client, err := NewClient(api.URL, account)
	if err != nil {
		t.Fatal(err)
	}
	return client, account
}

func write(t *testing.T, folder, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCall(t *testing.T) {
	client, _ := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, `{"request": %q}`, r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Type")+" "+
			r.Header.Get("Authorization")+" "+string(body))
	})
	var answer struct{ Request string }
	err := client.Call(t.Context(), http.MethodPatch, "/a", MergePatch, map[string]int{"b": 1}, &answer)
	const want = `PATCH /a application/merge-patch+json Bearer t {"b":1}`
	if err != nil || answer.Request != want || client.Namespace != "ns" {
		t.Errorf("%s in namespace %q, error %v; want %s", answer.Request, client.Namespace, err, want)
	}
}

func TestStatus(t *testing.T) {
	client, _ := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"kind": "Status", "message": "changed"}`)
	})
	err := client.Call(t.Context(), http.MethodGet, "/", JSON, nil, nil)
	if err == nil || err.Error() != "409 Conflict: changed" {
		t.Errorf("error %v", err)
	}
	if !HasStatus(err, http.StatusNotFound, http.StatusConflict) || HasStatus(err, http.StatusNotFound) {
		t.Errorf("the status of %v is not told", err)
	}
}

func TestClientTrustsTheAccountsAuthorityOnly(t *testing.T) {
	known, account := newClient(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	testenv.NewAuthority(t).WriteFile(t, filepath.Join(account, "ca.crt"))
	client, err := NewClient(known.server, account)
	if err != nil {
		t.Fatal(err)
	}
	var unknown x509.UnknownAuthorityError
	if err := client.Call(t.Context(), http.MethodGet, "/", JSON, nil, nil); !errors.As(err, &unknown) {
		t.Errorf("error %v", err)
	}
	write(t, account, "ca.crt", "")
	if _, err := NewClient(known.server, account); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("no authority: error %v", err)
	}
}

func TestNewClientReportsEverything(t *testing.T) {
	_, err := NewClient("https://10.96.0.1:443", t.TempDir())
	for _, name := range []string{"ca.crt", "namespace", "token"} {
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not reported in: %v", name, err)
		}
	}
}
