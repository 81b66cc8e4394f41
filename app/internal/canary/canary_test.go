package canary

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"agentstack/app/internal/kube"
)

// api has Deployments as Kubernetes has them: those of a test, and what becomes of the canary when it is scaled.
type api struct {
	mu          sync.Mutex
	deployments map[string]*deployment
	replicas    []int    // that the canary was given
	conflicts   int      // how many times the canary changes before it can be scaled
	requests    []string // distinct
	led         []string // the versions that the Service was led to
	ready       bool     // whether the canary's pods become ready
}

func with(image string, available int) *deployment {
	d := &deployment{}
	d.Metadata.ResourceVersion = "1"
	d.Spec.Template.Spec.Containers = []struct{ Image string }{{Image: image}}
	d.Status.AvailableReplicas = available
	return d
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if request := r.Method + " " + r.URL.Path; !slices.Contains(a.requests, request) {
		a.requests = append(a.requests, request)
	}
	if r.URL.Path == "/api/v1/namespaces/ns/services/api-canary" {
		var patch struct {
			Spec struct{ Selector map[string]string }
		}
		if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		a.led = append(a.led, patch.Spec.Selector["app.kubernetes.io/name"])
		fmt.Fprint(w, `{}`)
		return
	}
	name, scale := strings.CutSuffix(filepath.ToSlash(r.URL.Path), "/scale")
	d, found := a.deployments[filepath.Base(name)]
	switch {
	case !found:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message": "no such Deployment"}`)
	case scale && a.conflicts > 0:
		a.conflicts--
		d.Metadata.ResourceVersion += "0"
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"message": "changed"}`)
	case scale:
		var patch struct {
			Metadata struct{ ResourceVersion string }
			Spec     struct{ Replicas int }
		}
		if err := json.NewDecoder(r.Body).Decode(&patch); err != nil ||
			patch.Metadata.ResourceVersion != d.Metadata.ResourceVersion {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		a.replicas = append(a.replicas, patch.Spec.Replicas)
		d.Metadata.Generation++
		if a.ready {
			d.Status.ObservedGeneration, d.Status.Replicas = d.Metadata.Generation, patch.Spec.Replicas
			d.Status.UpdatedReplicas, d.Status.AvailableReplicas = patch.Spec.Replicas, patch.Spec.Replicas
		}
		fmt.Fprint(w, `{}`)
	default:
		if err := json.NewEncoder(w).Encode(d); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
}

func newCanary(t *testing.T, a *api) Canary {
	t.Helper()
	server := httptest.NewTLSServer(a)
	t.Cleanup(server.Close)
	account := t.TempDir()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, content := range map[string]string{"ca.crt": string(authority), "namespace": "ns", "token": "t"} {
		if err := os.WriteFile(filepath.Join(account, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client, err := kube.NewClient(server.URL, account)
	if err != nil {
		t.Fatal(err)
	}
	return Canary{
		API: client, Stable: "api", Name: "api-canary", Image: "new", Replicas: 3,
		Patience: time.Minute, Interval: time.Millisecond,
	}
}

func TestStart(t *testing.T) {
	const path = " /apis/apps/v1/namespaces/ns/deployments/"
	for name, test := range map[string]struct {
		stable    *deployment
		conflicts int
		nothing   string
	}{
		"a new image":          {stable: with("old", 2)},
		"changed in between":   {stable: with("old", 2), conflicts: 2},
		"first deployment":     {nothing: "there is no stable version yet"},
		"the same image":       {stable: with("new", 2), nothing: "the stable version has this image already"},
		"no ready stable pods": {stable: with("old", 0), nothing: "no pod of the stable version is ready"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &api{
				deployments: map[string]*deployment{"api-canary": with("new", 0)},
				conflicts:   test.conflicts, ready: true,
			}
			if test.stable != nil {
				a.deployments["api"] = test.stable
			}
			nothing, err := newCanary(t, a).Start(t.Context())
			if err != nil || (nothing == "") != (test.nothing == "") || !strings.HasSuffix(nothing, test.nothing) {
				t.Errorf("%q, error %v", nothing, err)
			}
			if !slices.Equal(a.replicas, []int{3}) {
				t.Errorf("the canary was given %v pods", a.replicas)
			}
			// What the Role of the judge allows, and nothing else.
			want := []string{"GET" + path + "api-canary", "PATCH" + path + "api-canary/scale", "GET" + path + "api"}
			var led []string
			if test.nothing == "" {
				want, led = append(want, "PATCH /api/v1/namespaces/ns/services/api-canary"), []string{"api-canary"}
			}
			if !slices.Equal(a.requests, want) || !slices.Equal(a.led, led) {
				t.Errorf("requests %q, want %q; the Service led to %q", a.requests, want, a.led)
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	a := &api{deployments: map[string]*deployment{"api": with("old", 2), "api-canary": with("new", 1)}}
	c := newCanary(t, a)
	c.Patience = 100 * time.Millisecond
	_, err := c.Start(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "0 of the canary's 3 pods are ready after 100ms: ") {
		t.Errorf("pods that are not ready: error %v", err)
	}
	if len(a.led) > 0 {
		t.Errorf("pods that are not ready: the Service led to %q", a.led)
	}
	delete(a.deployments, "api-canary")
	if _, err := c.Start(t.Context()); !kube.HasStatus(err, http.StatusNotFound) {
		t.Errorf("no canary: error %v", err)
	}
}

func TestWithdraw(t *testing.T) {
	a := &api{deployments: map[string]*deployment{"api-canary": with("new", 3)}, conflicts: 1}
	if err := newCanary(t, a).Withdraw(t.Context()); err != nil || !slices.Equal(a.replicas, []int{0}) {
		t.Errorf("the canary was given %v pods, error %v", a.replicas, err)
	}
	// The share goes to pods that are there before the canary's go.
	service := slices.Index(a.requests, "PATCH /api/v1/namespaces/ns/services/api-canary")
	scale := slices.Index(a.requests, "PATCH /apis/apps/v1/namespaces/ns/deployments/api-canary/scale")
	if !slices.Equal(a.led, []string{"api"}) || service > scale {
		t.Errorf("the Service led to %q, requests %q", a.led, a.requests)
	}
}

// TestAnotherCanary leaves the canary of a later deployment alone.
func TestAnotherCanary(t *testing.T) {
	a := &api{deployments: map[string]*deployment{"api": with("old", 2), "api-canary": with("newer", 3)}}
	c := newCanary(t, a)
	if _, err := c.Start(t.Context()); err == nil || err.Error() != "another image has become the canary" {
		t.Errorf("start: error %v", err)
	}
	if err := c.Withdraw(t.Context()); err != nil || len(a.replicas)+len(a.led) > 0 {
		t.Errorf("the other canary was given %v pods, the Service led to %q, error %v", a.replicas, a.led, err)
	}
}
