//go:build e2e

package chaos

import (
	"fmt"
	"strings"
	"testing"

	"agentstack/tests/cloud"
)

// operators is how many pods the operator has when nothing is wrong.
const operators = 2

// scaleOperator waits until as many pods of CloudNativePG run, and no others.
func scaleOperator(t *testing.T, replicas int) {
	t.Helper()
	cloud.Command(t, "kubectl", "-n", "cnpg-system", "scale", "deployment/cnpg-controller-manager",
		fmt.Sprintf("--replicas=%d", replicas))
	cloud.Eventually(t, cloud.SettleTimeout, fmt.Sprintf("%d pods of the operator", replicas), func() error {
		ready, err := cloud.Try("kubectl", "-n", "cnpg-system", "get", "pods", "-o",
			`jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{" "}{end}`)
		if err == nil && ready != strings.Repeat("True ", replicas) {
			err = fmt.Errorf("ready: %q", ready)
		}
		return err
	})
}
