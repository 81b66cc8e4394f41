package stacks

import (
	"testing"

	"agentstack/internal/pulumitest"
	"agentstack/internal/strict"
)

// TestEveryObjectIsAccepted gives everything that a stack registers to a real API server.
func TestEveryObjectIsAccepted(t *testing.T) {
	server := strict.Start(t, strict.ModuleFolder(t, "../local/toolchain/cloudnative-pg",
		"github.com/cloudnative-pg/cloudnative-pg", "config/crd/bases"))
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
