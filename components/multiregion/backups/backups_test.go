package backups

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"agentstack/components/multiregion/internal/cloud"
)

var scope = cloud.Scope{Environment: "production", Region: "us-east-1"}

func TestReplications(t *testing.T) {
	tests := map[string]struct {
		regions []string
		want    string
	}{
		"one":   {[]string{"a"}, "[]"},
		"two":   {[]string{"a", "b"}, "[{a [b]} {b [a]}]"},
		"three": {[]string{"a", "b", "c"}, "[{a [b c]}]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := fmt.Sprint(replications(test.regions)); got != test.want {
				t.Errorf("replications = %s, want %s", got, test.want)
			}
		})
	}
}

func TestPermissions(t *testing.T) {
	tests := map[string]struct {
		statements []cloud.Statement
		objects    []string
		writes     bool
	}{
		"write": {Write(scope, "b", "logs"), []string{"arn:aws:s3:::b/logs/*"}, true},
		"read":  {Read(scope, "b", "postgres"), []string{"arn:aws:s3:::b/postgres/*"}, false},
		"replication": {
			replicationPermissions(scope, "x", []string{"eu-west-1"}),
			[]string{"arn:aws:s3:::x-backups-us-east-1/*", "arn:aws:s3:::x-backups-eu-west-1/*"}, false,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var objects, actions []string
			for _, statement := range test.statements {
				actions = append(actions, statement.Action...)
				for _, resource := range statement.Resource {
					if strings.Contains(resource, "/") {
						objects = append(objects, resource)
					} else if strings.Contains(resource, "*") {
						t.Errorf("%v on %s", statement.Action, resource)
					}
				}
			}
			if !slices.Equal(objects, test.objects) {
				t.Errorf("objects = %v, want %v", objects, test.objects)
			}
			if got := slices.Contains(actions, "s3:PutObject"); got != test.writes {
				t.Errorf("actions = %v", actions)
			}
			for _, action := range actions {
				if strings.Contains(action, "*") {
					t.Errorf("allows %s", action)
				}
			}
		})
	}
}

func TestOnlyEncryptedTransport(t *testing.T) {
	statement := encryptedTransport(scope, "b")
	if statement.Effect != "Deny" || statement.Condition["Bool"]["aws:SecureTransport"] != "false" ||
		!slices.Equal(statement.Resource, []string{"arn:aws:s3:::b", "arn:aws:s3:::b/*"}) {
		t.Errorf("statement = %+v", statement)
	}
}
