package hapostgres_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/hapostgres"
	"agentstack/internal/pulumitest"
)

// logins returns the roles of a recorded cluster that log in, and the Secrets with their passwords.
func logins(t *testing.T, recording *pulumitest.Recording) map[string]string {
	t.Helper()
	object := recording.Find(t, clusterType, "ai-agent-db-eu-west-1")
	roles, _ := object.At("spec", "managed", "roles").([]any)
	found := map[string]string{}
	for i := range roles {
		at := func(path ...any) string {
			text, _ := object.At(append([]any{"spec", "managed", "roles", i}, path...)...).(string)
			return text
		}
		found[at("name")] = at("passwordSecret", "name")
		for _, switched := range []string{"login", "inherit"} {
			if object.At("spec", "managed", "roles", i, switched) != true {
				t.Errorf("%s of %s is not on", switched, at("name"))
			}
		}
	}
	return found
}

// TestRotation raises the version twice. Pods that are still running have the role of the version before, whose Secret
// must not change.
func TestRotation(t *testing.T) {
	const name = "ai-agent-db-eu-west-1"
	run := func(version int) *pulumitest.Recording {
		args := validArgs()
		args.PasswordVersion = version
		return pulumitest.UpRevealed(t, register(args))
	}
	want := map[int]map[string]string{
		1: {"ai_agent_1": "ai-agent-db-app-v1", "ai_agent_backup": "ai-agent-db-backup-v1"},
		2: {
			"ai_agent_2": "ai-agent-db-app-v2", "ai_agent_1": "ai-agent-db-app-v1",
			"ai_agent_backup": "ai-agent-db-backup-v2",
		},
		3: {
			"ai_agent_1": "ai-agent-db-app-v3", "ai_agent_2": "ai-agent-db-app-v2",
			"ai_agent_backup": "ai-agent-db-backup-v3",
		},
	}
	before := run(1)
	if got := logins(t, before); !reflect.DeepEqual(got, want[1]) {
		t.Errorf("version 1 has %v, want %v", got, want[1])
	}
	for version := 2; version <= 3; version++ {
		after, kept := run(version), fmt.Sprintf("-app-v%d", version-1)
		if got := logins(t, after); !reflect.DeepEqual(got, want[version]) {
			t.Errorf("version %d has %v, want %v", version, got, want[version])
		}
		if slices.Contains(pulumitest.Changed(stored(before), stored(after)), secretType+" "+name+kept) {
			t.Errorf("version %d changes %s", version, kept)
		}
		login := secretData(t, after, name+"-app")["username"]
		if want[version][login] != fmt.Sprintf("ai-agent-db-app-v%d", version) {
			t.Errorf("clients of version %d log in as %s", version, login)
		}
		changed := pulumitest.Changed(before, after)
		for _, client := range []string{"-app", "-backup"} {
			if !slices.Contains(changed, secretType+" "+name+client) {
				t.Errorf("clients do not notice version %d of %s", version, client)
			}
		}
		before = after
	}
}

// stored are the resources without the values that a run draws anew and the engine ignores.
func stored(recording *pulumitest.Recording) *pulumitest.Recording {
	copied := &pulumitest.Recording{Resources: slices.Clone(recording.Resources)}
	for i, resource := range copied.Resources {
		if !slices.Contains(resource.IgnoreChanges, "data") {
			continue
		}
		copied.Resources[i].Inputs = map[string]any{"metadata": resource.Inputs["metadata"]}
	}
	return copied
}

func TestStandbyHasBothPasswordsOfThePrimary(t *testing.T) {
	args := standbyArgs()
	args.PasswordVersion = 2
	args.Passwords = &hapostgres.Passwords{
		Current:  pulumi.ToSecret(pulumi.String("new")).(pulumi.StringOutput),
		Previous: pulumi.ToSecret(pulumi.String("old")).(pulumi.StringOutput),
	}
	recording := pulumitest.UpRevealed(t, register(args))
	for suffix, want := range map[string]string{"-app-v2": "new", "-app-v1": "old", "-app": "new"} {
		if got := secretData(t, recording, "ai-agent-db-eu-west-1"+suffix)["password"]; got != want {
			t.Errorf("password of %s = %q, want %q", suffix, got, want)
		}
	}
}

// A primary that rotated hands both passwords to its standbys.
func TestPasswordsForStandbys(t *testing.T) {
	args := storeArgs()
	args.PasswordVersion = 2
	recording := pulumitest.UpRevealed(t, func(ctx *pulumi.Context) error {
		primary, err := hapostgres.New(ctx, "primary", args)
		if err != nil {
			return err
		}
		standby := standbyArgs()
		standby.PasswordVersion, standby.Passwords = 2, &primary.Passwords
		_, err = hapostgres.New(ctx, "standby", standby)
		return err
	})
	for _, version := range []string{"-app-v2", "-app-v1"} {
		if got := secretData(t, recording, "standby"+version)["password"]; got != "first-password-of-primary"+version {
			t.Errorf("%s of the standby is %q", version, got)
		}
	}
}
