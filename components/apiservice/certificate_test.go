package apiservice_test

import (
	"slices"
	"testing"

	"agentstack/components/apiservice"
	"agentstack/internal/pulumitest"
)

// TestObjectsForCertManager writes down what a certificate of Let's Encrypt depends on. The golden file is what
// tests/acme gives to cert-manager.
func TestObjectsForCertManager(t *testing.T) {
	args := edgeArgs()
	args.Edge.Issuer = apiservice.IssuerLetsEncrypt
	recording := pulumitest.Up(t, register(args))
	needed := []string{
		issuerType, certManager, gatewayAPI + "Gateway", gatewayAPI + "HTTPRoute",
		"kubernetes:networking.k8s.io/v1:NetworkPolicy",
	}
	recording.Resources = slices.DeleteFunc(recording.Resources, func(r pulumitest.Resource) bool {
		return !slices.Contains(needed, r.Type)
	})
	recording.Golden(t, "letsencrypt")
}
