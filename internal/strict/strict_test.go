package strict_test

import (
	"maps"
	"strings"
	"testing"

	"agentstack/internal/pulumitest"
	"agentstack/internal/strict"
)

const (
	cloudNativePGPin = "../../local/toolchain/cloudnative-pg"
	cloudNativePG    = "github.com/cloudnative-pg/cloudnative-pg"
)

func TestServer(t *testing.T) {
	server := strict.Start(t, strict.ModuleFolder(t, cloudNativePGPin, cloudNativePG, "config/crd/bases"))
	t.Run("finds mistakes", func(t *testing.T) { findsMistakes(t, server) })
	t.Run("warns of pods that their namespace forbids", func(t *testing.T) { warnsOfPods(t, server) })
}

func findsMistakes(t *testing.T, server *strict.Server) {
	const cluster, service = "postgresql.cnpg.io/v1 Cluster", "v1 Service"
	tests := map[string]struct {
		kind string
		spec map[string]any
		want string // part of the error; empty: accepted
	}{
		"good custom resource": {cluster, map[string]any{"instances": 3.0}, ""},
		"good object":          {service, map[string]any{"ports": ports(80.0)}, ""},
		"typo in custom resource": {
			cluster, map[string]any{"instances": 3.0, "synchronus": true}, "spec.synchronus: field not declared",
		},
		"typo in object": {
			service, map[string]any{"ports": ports(80.0), "sesionAffinity": "None"},
			"sesionAffinity: field not declared",
		},
		"wrong type in custom resource": {
			cluster, map[string]any{"instances": "three"}, "spec.instances",
		},
		"wrong type in object":  {service, map[string]any{"ports": ports("http")}, "expected numeric"},
		"wrong value in object": {service, map[string]any{"ports": ports(70000.0)}, "spec.ports[0].port: Invalid"},
		"unknown kind":          {"postgresql.cnpg.io/v1 Clutser", map[string]any{}, `no matches for kind "Clutser"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			apiVersion, kind, _ := strings.Cut(test.kind, " ")
			object := pulumitest.Resource{Type: "kubernetes:any", Name: name, Inputs: map[string]any{
				"apiVersion": apiVersion, "kind": kind, "spec": test.spec,
				"metadata": map[string]any{"name": "any", "namespace": "default"},
			}}
			_, err := server.Check(t.Context(), &pulumitest.Recording{Resources: []pulumitest.Resource{object}})
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error = %v, want it to contain %q", err, test.want)
			}
		})
	}
}

func ports(number any) []any {
	return []any{map[string]any{"name": "http", "port": number}}
}

func warnsOfPods(t *testing.T, server *strict.Server) {
	labels := map[string]any{"pod-security.kubernetes.io/warn": "restricted"}
	selector := map[string]any{"app": "any"}
	object := func(apiVersion, kind string, metadata, rest map[string]any) pulumitest.Resource {
		inputs := map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
		maps.Copy(inputs, rest)
		return pulumitest.Resource{Type: "kubernetes:any", Name: kind, Inputs: inputs}
	}
	workload := object("apps/v1", "Deployment", map[string]any{"name": "w", "namespace": "n"}, map[string]any{
		"spec": map[string]any{
			"selector": map[string]any{"matchLabels": selector},
			"template": map[string]any{
				"metadata": map[string]any{"labels": selector},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "c", "image": "i"}}},
			},
		},
	})
	namespace := object("v1", "Namespace", map[string]any{"name": "n", "labels": labels}, nil)
	// The namespace comes last here and is made first all the same.
	recording := &pulumitest.Recording{Resources: []pulumitest.Resource{workload, namespace}}
	checked, err := server.Check(t.Context(), recording)
	if checked != 2 || err == nil || !strings.Contains(err.Error(), "would violate PodSecurity") {
		t.Errorf("checked %d objects, error = %v", checked, err)
	}
}
