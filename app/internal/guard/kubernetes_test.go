package guard

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const selector = "cnpg.io/cluster=db,cnpg.io/podRole=instance"

// newAPI serves TLS and writes the files of a service account that trusts it.
func newAPI(t *testing.T, handler http.HandlerFunc) (*Cluster, string) {
	t.Helper()
	api := httptest.NewTLSServer(handler)
	t.Cleanup(api.Close)
	account := t.TempDir()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})
	write(t, account, "ca.crt", string(authority))
	write(t, account, "namespace", "data")
	write(t, account, "token", "first\n")
	cluster, err := NewCluster(api.URL, account, "db", selector)
	if err != nil {
		t.Fatal(err)
	}
	return cluster, account
}

func write(t *testing.T, folder, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestList(t *testing.T) {
	var requests []string
	cluster, account := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery+" "+r.Header.Get("Authorization"))
		http.ServeFile(w, r, "testdata/pods.json")
	})
	got, err := cluster.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	address := netip.MustParseAddr
	want := []Instance{
		{Name: "ready", UID: "1", Address: address("10.0.0.1"), Primary: true, Available: true},
		{Name: "not-ready", UID: "2", Address: address("fd00::2")},
		{Name: "being-deleted", UID: "3", Address: address("10.0.0.3"), Terminating: true},
		{Name: "failed", UID: "4", Address: address("10.0.0.1")},
		{Name: "pending", UID: "5"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("instances\n%+v, want\n%+v", got, want)
	}
	write(t, account, "token", "second")
	if _, err := cluster.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	const list = "GET /api/v1/namespaces/data/pods?labelSelector=cnpg.io%2Fcluster%3Ddb%2Ccnpg.io%2FpodRole%3Dinstance "
	if want := []string{list + "Bearer first", list + "Bearer second"}; !slices.Equal(requests, want) {
		t.Errorf("requests\n%q, want\n%q", requests, want)
	}
}

func TestDelete(t *testing.T) {
	for _, test := range []struct {
		name    string
		code    int
		answer  string
		deleted bool
		err     string
	}{
		{"deleted", 200, `{"kind":"Pod"}`, true, "<nil>"},
		{"accepted", 202, `{"kind":"Status"}`, true, "<nil>"},
		{"gone", 404, `{"kind":"Status","message":"pods \"db-1\" not found"}`, false, "<nil>"},
		{"replaced", 409, `{"kind":"Status","message":"Precondition failed: UID in precondition"}`, false, "<nil>"},
		{
			"forbidden", 403, `{"kind":"Status","message":"pods \"db-1\" is forbidden"}`, false,
			`delete pod db-1: 403 Forbidden: pods "db-1" is forbidden`,
		},
		{"no Status", 502, "bad gateway", false, "delete pod db-1: 502 Bad Gateway: no message"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var request, body string
			cluster, _ := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
				content, err := io.ReadAll(r.Body)
				request, body = r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Type"), string(content)
				if err != nil {
					t.Error(err)
				}
				w.WriteHeader(test.code)
				fmt.Fprint(w, test.answer)
			})
			deleted, err := cluster.Delete(t.Context(), one)
			if deleted != test.deleted || fmt.Sprint(err) != test.err {
				t.Errorf("deleted %t, error %v; want %t, %s", deleted, err, test.deleted, test.err)
			}
			const wantRequest = "DELETE /api/v1/namespaces/data/pods/db-1 application/json"
			const wantBody = `{"apiVersion":"v1","gracePeriodSeconds":1,"kind":"DeleteOptions",` +
				`"preconditions":{"uid":"uid-1"}}`
			if request != wantRequest || body != wantBody {
				t.Errorf("request %s\n%s, want %s\n%s", request, body, wantRequest, wantBody)
			}
		})
	}
}
