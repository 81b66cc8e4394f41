package eks

import (
	"slices"
	"strings"
	"testing"

	"agentstack/components/multiregion/internal/cloud"
)

// TestLeastPrivilege holds for what the program allows itself. Any resource is for reading alone.
func TestLeastPrivilege(t *testing.T) {
	reads := []string{":Describe", ":List", ":Get"}
	scope := cloud.Scope{Environment: "production", Region: "eu-west-1"}
	for _, identity := range systemIdentities(scope) {
		if len(identity.Permissions) == 0 == (identity.ManagedPolicy == "") {
			t.Errorf("%s has permissions of its own and a managed policy, or none", identity.Name)
		}
		for _, statement := range identity.Permissions {
			anyResource := slices.Contains(statement.Resource, cloud.AnyResource)
			for _, action := range statement.Action {
				if strings.Contains(action, "*") {
					t.Errorf("%s allows %s", identity.Name, action)
				}
				isRead := slices.ContainsFunc(reads, func(read string) bool { return strings.Contains(action, read) })
				if anyResource && !isRead {
					t.Errorf("%s allows %s on any resource", identity.Name, action)
				}
			}
		}
	}
}

// TestPermissionsEndAtTheCluster wants a condition, or the name of the cluster, on whatever changes something.
func TestPermissionsEndAtTheCluster(t *testing.T) {
	scope := cloud.Scope{Environment: "production", Region: "eu-west-1"}
	open := []string{"ec2:CreateSecurityGroup", "acm:DescribeCertificate"}
	for _, identity := range systemIdentities(scope) {
		for _, statement := range identity.Permissions {
			if slices.Contains(statement.Resource, cloud.AnyResource) || len(statement.Condition) > 0 ||
				slices.Contains(open, statement.Action[0]) {
				continue
			}
			for _, resource := range statement.Resource {
				if !strings.Contains(resource, Name(scope)) {
					t.Errorf("%s allows %v on %s without a condition", identity.Name, statement.Action, resource)
				}
			}
		}
	}
}
