package hapostgres_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/hapostgres"
	"agentstack/internal/pulumitest"
)

const (
	guardName      = "ai-agent-db-eu-west-1-guard"
	deploymentType = "kubernetes:apps/v1:Deployment"
)

func guardArgs() hapostgres.Args {
	args := validArgs()
	args.GuardImage = pulumi.String("registry.example.com/api@sha256:1")
	return args
}

// TestGuardOnlyWhereItCanHelp has a guard only with a replica to promote. Without one its role has no password that
// anybody could lose either.
func TestGuardOnlyWhereItCanHelp(t *testing.T) {
	standby := standbyArgs()
	standby.GuardImage = guardArgs().GuardImage
	standby.Passwords.Guard = pulumi.ToSecret(pulumi.String("the primary's guard's")).(pulumi.StringOutput)
	single := guardArgs()
	single.Instances = 1
	for name, test := range map[string]struct {
		args hapostgres.Args
		want int
	}{
		"three instances": {guardArgs(), 1},
		"one instance":    {single, 0},
		"a standby":       {standby, 1},
		"no image":        {validArgs(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			recording := pulumitest.UpRevealed(t, register(test.args))
			if got := len(recording.OfType(deploymentType)); got != test.want {
				t.Errorf("%d Deployments, want %d", got, test.want)
			}
			secrets := 0
			for _, role := range recording.OfType(secretType) {
				if secretData(t, recording, role.Name)["username"] == "ai_agent_guard" {
					secrets++
				}
			}
			if secrets != 2*test.want {
				t.Errorf("%d Secrets of the guard, want %d", secrets, 2*test.want)
			}
		})
	}
}

// TestGuardsRights are to connect to the database, to list and delete pods, and to change its own Cluster.
func TestGuardsRights(t *testing.T) {
	recording := pulumitest.Up(t, register(guardArgs()))
	rules := recording.Find(t, "kubernetes:rbac.authorization.k8s.io/v1:Role", guardName).At("rules")
	want := []any{map[string]any{
		"apiGroups": []any{""}, "resources": []any{"pods"}, "verbs": []any{"list", "delete"},
	}, map[string]any{
		"apiGroups": []any{"postgresql.cnpg.io"}, "resources": []any{"clusters"}, "verbs": []any{"get", "patch"},
		"resourceNames": []any{"ai-agent-db"},
	}}
	if !reflect.DeepEqual(rules, want) {
		t.Errorf("rules are %v, want %v", rules, want)
	}
	object := recording.Find(t, clusterType, "ai-agent-db-eu-west-1")
	roles, _ := object.At("spec", "managed", "roles").([]any)
	for i := range roles {
		role, _ := roles[i].(map[string]any)
		if role["name"] != "ai_agent_guard" {
			continue
		}
		if role["inRoles"] != nil || role["bypassrls"] == true || role["createdb"] == true {
			t.Errorf("the guard's role is %v", role)
		}
		return
	}
	t.Error("the guard has no role")
}

// TestGuardOfAStandby logs in with the password of the primary region: roles are copied with all the rest.
func TestGuardOfAStandby(t *testing.T) {
	args := standbyArgs()
	args.GuardImage = guardArgs().GuardImage
	args.Passwords.Guard = pulumi.ToSecret(pulumi.String("the primary's guard's")).(pulumi.StringOutput)
	recording := pulumitest.UpRevealed(t, register(args))
	for _, name := range []string{guardName, guardName + "-v1"} {
		if got := secretData(t, recording, name)["password"]; got != "the primary's guard's" {
			t.Errorf("%s has the password %q", name, got)
		}
	}
}

// TestGuardReplacesWhoIsCutOff only where every commit is on a replica before it is acknowledged.
func TestGuardReplacesWhoIsCutOff(t *testing.T) {
	preferred, own, standby := guardArgs(), guardArgs(), standbyArgs()
	preferred.DataDurability = hapostgres.DurabilityPreferred
	own.Parameters = map[string]string{"synchronous_commit": "off"}
	standby.GuardImage = guardArgs().GuardImage
	standby.Passwords.Guard = pulumi.ToSecret(pulumi.String("the primary's guard's")).(pulumi.StringOutput)
	for name, test := range map[string]struct {
		args hapostgres.Args
		want string
	}{
		"required":       {guardArgs(), "true"},
		"preferred":      {preferred, "false"},
		"not by default": {own, "false"},
		"a standby":      {standby, "false"},
	} {
		t.Run(name, func(t *testing.T) {
			deployment := pulumitest.Up(t, register(test.args)).OfType(deploymentType)[0]
			containers, _ := deployment.At("spec", "template", "spec", "containers").([]any)
			container, _ := containers[0].(map[string]any)
			want := map[string]any{"name": "REPLACE_CUT_OFF", "value": test.want}
			variables, _ := container["env"].([]any)
			if !slices.ContainsFunc(variables, func(v any) bool { return reflect.DeepEqual(v, want) }) {
				t.Errorf("the environment is %v, want %v in it", variables, want)
			}
		})
	}
}
