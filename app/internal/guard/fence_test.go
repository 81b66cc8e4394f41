package guard

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestFence(t *testing.T) {
	const patched = `PATCH {"metadata":{"annotations":{"cnpg.io/fencedInstances":%q},"resourceVersion":"7"}}`
	for _, test := range []struct {
		name        string
		annotations map[string]string
		status      string
		get, patch  int
		fenced      bool
		request     string // with a body
		err         string
	}{
		{name: "the first", fenced: true, request: fmt.Sprintf(patched, `["db-2"]`)},
		{
			name: "another one", annotations: map[string]string{annotationFenced: `["db-3"]`, "other": "kept"},
			fenced: true, request: fmt.Sprintf(patched, `["db-3","db-2"]`),
		},
		{name: "fenced already", annotations: map[string]string{annotationFenced: `["db-3","db-2"]`}},
		{name: "all are fenced", annotations: map[string]string{annotationFenced: `["*"]`}},
		{
			name: "no list", annotations: map[string]string{annotationFenced: "db-3"},
			err: "read annotation cnpg.io/fencedInstances",
		},
		{name: "another primary", status: "db-2 db-2", err: "has db-2 as the primary and wants db-2"},
		{name: "a switchover", status: "db-1 db-2", err: "has db-1 as the primary and wants db-2"},
		{name: "a failover", status: "db-2 db-1", err: "has db-2 as the primary and wants db-1"},
		{name: "forbidden", get: http.StatusForbidden, err: "get cluster: 403 Forbidden: no"},
		{
			name: "changed meanwhile", patch: http.StatusConflict, request: fmt.Sprintf(patched, `["db-2"]`),
			err: "patch cluster: 409 Conflict: no",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var request string
			cluster, _ := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/apis/postgresql.cnpg.io/v1/namespaces/data/clusters/db" {
					t.Errorf("asked for %s", r.URL.Path)
				}
				code := test.get
				if r.Method != http.MethodGet {
					code = test.patch
					content, err := io.ReadAll(r.Body)
					if err != nil || r.Header.Get("Content-Type") != "application/merge-patch+json" {
						t.Errorf("a body of type %s, error %v", r.Header.Get("Content-Type"), err)
					}
					request = r.Method + " " + string(content)
				}
				if code != 0 {
					w.WriteHeader(code)
					fmt.Fprint(w, `{"message": "no"}`)
					return
				}
				if test.status == "" {
					test.status = "db-1 db-1"
				}
				current, target, _ := strings.Cut(test.status, " ")
				err := json.NewEncoder(w).Encode(map[string]any{
					"metadata": map[string]any{"resourceVersion": "7", "annotations": test.annotations},
					"status":   map[string]string{"currentPrimary": current, "targetPrimary": target},
				})
				if err != nil {
					t.Error(err)
				}
			})
			fenced, err := cluster.Fence(t.Context(), two, one)
			asWanted := strings.Contains(fmt.Sprint(err), test.err) && (test.err == "") == (err == nil)
			if fenced != test.fenced || !asWanted {
				t.Errorf("fenced %t, error %v; want %t, %s", fenced, err, test.fenced, test.err)
			}
			if request != test.request {
				t.Errorf("request\n%s, want\n%s", request, test.request)
			}
		})
	}
}
