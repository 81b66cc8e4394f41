package guard

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"agentstack/app/internal/kube"
	"agentstack/app/internal/testenv"
)

// definition is that of the operator's Clusters as far as the guard knows them.
const definition = `{
	"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
	"metadata": {"name": "clusters.postgresql.cnpg.io"},
	"spec": {
		"group": "postgresql.cnpg.io", "scope": "Namespaced", "names": {"kind": "Cluster", "plural": "clusters"},
		"versions": [{
			"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
			"schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}
		}]
	}
}`

// TestServer fences and deletes with the rights that the guard has.
func TestServer(t *testing.T) {
	t.Parallel()
	const (
		rbac     = "/apis/rbac.authorization.k8s.io/v1/namespaces/data/"
		clusters = "/apis/postgresql.cnpg.io/v1/namespaces/data/clusters"
		pods     = "/api/v1/namespaces/data/pods"
	)
	server := testenv.NewKubernetes(t)
	call := func(method, path, body string) {
		t.Helper()
		if err := server.Call(method, path, body); err != nil {
			t.Fatal(err)
		}
	}
	status := func(current, target string) {
		t.Helper()
		call(http.MethodPatch, clusters+"/db/status",
			fmt.Sprintf(`{"status": {"currentPrimary": %q, "targetPrimary": %q}}`, current, target))
	}
	call(http.MethodPost, "/api/v1/namespaces", `{"metadata": {"name": "data"}}`)
	call(http.MethodPost, rbac+"roles", `{"metadata": {"name": "guard"}, "rules": [
		{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete"]},
		{"apiGroups": ["postgresql.cnpg.io"], "resources": ["clusters"], "verbs": ["get", "patch"],
			"resourceNames": ["db"]}]}`)
	call(http.MethodPost, rbac+"rolebindings", `{"metadata": {"name": "guard"},
		"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "guard"},
		"subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "`+testenv.KubernetesUser+`"}]}`)
	call(http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
	eventually(t, "Clusters are known", func() bool {
		return server.Call(http.MethodPost, clusters, `{"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
			"metadata": {"name": "db", "annotations": {"kept": "as it is"}}}`) == nil
	})
	call(http.MethodPost, clusters, `{"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
		"metadata": {"name": "other"}, "status": {}}`)
	authority, err := os.ReadFile(server.CA)
	if err != nil {
		t.Fatal(err)
	}
	account := t.TempDir()
	write(t, account, "ca.crt", string(authority))
	write(t, account, "namespace", "data")
	write(t, account, "token", testenv.Secret)
	cluster, err := NewCluster(server.URL, account, "db", selector)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(instance Instance, fenced bool, want string) {
		t.Helper()
		got, err := cluster.Fence(t.Context(), instance, one)
		if got != fenced || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("fenced %s: %t, error %v; want %t, %s", instance.Name, got, err, fenced, want)
		}
	}
	status("db-1", "db-2")
	expect(two, false, "the operator has db-1 as the primary and wants db-2")
	status("db-1", "db-1")
	expect(two, true, "<nil>")
	expect(two, false, "<nil>")
	expect(three, true, "<nil>")
	var object struct {
		Metadata struct{ Annotations map[string]string }
	}
	if err := cluster.api.Call(t.Context(), http.MethodGet, clusters+"/db", kube.JSON, nil, &object); err != nil {
		t.Fatal(err)
	}
	annotations := object.Metadata.Annotations
	if annotations[annotationFenced] != `["db-2","db-3"]` || annotations["kept"] != "as it is" {
		t.Errorf("annotations are %v", annotations)
	}
	stale := map[string]any{"metadata": map[string]any{"resourceVersion": "1"}}
	err = cluster.api.Call(t.Context(), http.MethodPatch, clusters+"/db", kube.MergePatch, stale, &object)
	if !kube.HasStatus(err, http.StatusConflict) {
		t.Errorf("a patch of what has changed: error %v", err)
	}
	other, err := NewCluster(server.URL, account, "other", selector)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Fence(t.Context(), two, one); !kube.HasStatus(err, http.StatusForbidden) {
		t.Errorf("another cluster: error %v", err)
	}

	call(http.MethodPost, pods, `{"metadata": {"name": "db-1",
		"labels": {"cnpg.io/cluster": "db", "cnpg.io/podRole": "instance"}},
		"spec": {"containers": [{"name": "postgres", "image": "postgres"}]}}`)
	found, err := cluster.List(t.Context())
	if err != nil || len(found) != 1 {
		t.Fatalf("pods %v, error %v", found, err)
	}
	before := found[0]
	before.UID = "uid-1"
	for _, test := range []struct {
		instance Instance
		want     bool
	}{{before, false}, {found[0], true}, {found[0], false}} {
		if deleted, err := cluster.Delete(t.Context(), test.instance); err != nil || deleted != test.want {
			t.Errorf("deleted %+v: %t, error %v, want %t", test.instance, deleted, err, test.want)
		}
	}
}
