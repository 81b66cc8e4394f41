package stacks

import (
	"testing"

	"agentstack/internal/pulumitest"
	"agentstack/internal/strict"
)

// TestEveryObjectIsAccepted gives everything that a stack registers to a real API server.
func TestEveryObjectIsAccepted(t *testing.T) {
	const gateways = "charts/gateway-helm/charts/crds/crds"
	definitions := func(tool, module, folder string) string {
		return strict.ModuleFolder(t, "../local/toolchain/"+tool, module, folder)
	}
	server := strict.Start(t,
		definitions("cloudnative-pg", "github.com/cloudnative-pg/cloudnative-pg", "config/crd/bases"),
		definitions("envoy-gateway", "github.com/envoyproxy/gateway", gateways),
		definitions("envoy-gateway", "github.com/envoyproxy/gateway", gateways+"/generated"),
		definitions("vpa-recommender", "k8s.io/autoscaler/vertical-pod-autoscaler", "deploy/vpa-v1-crd-gen.yaml"))
	for _, stack := range environments {
		t.Run(stack, func(t *testing.T) {
			recording := pulumitest.UpRevealed(t, Deploy, stackConfig(t, stack))
			checked, err := server.Check(t.Context(), recording)
			if err != nil {
				t.Error(err)
			}
			if checked == 0 {
				t.Error("no Kubernetes objects registered")
			}
			t.Logf("%d objects checked", checked)
		})
	}
}
