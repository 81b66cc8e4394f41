package hapostgres_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/hapostgres"
	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
	"agentstack/internal/strict"
)

const moment = "2026-11-23T12:00:00.25+01:00"

func recoveryArgs() hapostgres.Args {
	args := storeArgs()
	args.Name = "ai-agent-db-restored"
	args.Recovery = &hapostgres.Recovery{From: "ai-agent-db", TargetTime: moment}
	return args
}

func TestRecovery(t *testing.T) {
	object := cluster(t, recoveryArgs())
	want := map[string]any{"recovery": map[string]any{
		"source":         "origin",
		"database":       "ai_agent",
		"owner":          "ai_agent",
		"recoveryTarget": map[string]any{"targetTime": "2026-11-23 11:00:00.250000+00"},
	}}
	if got := object.At("spec", "bootstrap"); !reflect.DeepEqual(got, want) {
		t.Errorf("bootstrap = %v, want %v", got, want)
	}
	store, _ := object.At("spec", "backup", "barmanObjectStore").(map[string]any)
	if store["serverName"] != "ai-agent-db-restored-17" {
		t.Errorf("archives as %v, want ai-agent-db-restored-17", store["serverName"])
	}
	recovered, _ := object.At("spec", "externalClusters", 2, "barmanObjectStore").(map[string]any)
	if object.At("spec", "externalClusters", 2, "name") != "origin" || recovered["serverName"] != "ai-agent-db-17" {
		t.Errorf("recovers from %v, want the archive ai-agent-db-17", object.At("spec", "externalClusters", 2))
	}
	for _, field := range []string{"destinationPath", "endpointURL", "s3Credentials"} {
		if !reflect.DeepEqual(recovered[field], store[field]) {
			t.Errorf("%s is %v where it reads and %v where it writes", field, recovered[field], store[field])
		}
	}
	leads := map[string]any{"self": "this-region", "primary": "this-region", "source": "primary-region"}
	if got := object.At("spec", "replica"); !reflect.DeepEqual(got, leads) {
		t.Errorf("replica = %v, want %v", got, leads)
	}
}

func TestRecoveryToTheEndOfTheArchive(t *testing.T) {
	args := recoveryArgs()
	args.Recovery.TargetTime = ""
	if got := cluster(t, args).At("spec", "bootstrap", "recovery", "recoveryTarget"); got != nil {
		t.Errorf("recoveryTarget = %v, want none", got)
	}
}

// The recovered cluster stays when the recovery leaves the configuration. Its bootstrap is kept, so that the operator
// takes the update only if the archive that it names is still there.
func TestRecoveredClusterStays(t *testing.T) {
	later := recoveryArgs()
	later.Recovery = nil
	before, after := cluster(t, recoveryArgs()), cluster(t, later)
	if !slices.Equal(after.IgnoreChanges, []string{"spec.bootstrap"}) {
		t.Errorf("ignoreChanges = %v, want spec.bootstrap", after.IgnoreChanges)
	}
	source := before.At("spec", "bootstrap", "recovery", "source")
	if got := after.At("spec", "externalClusters", 2, "name"); got != source {
		t.Errorf("the cluster came from %v, which is now %v", source, got)
	}
	old, _ := before.At("spec").(map[string]any)
	for field, value := range old {
		if field == "bootstrap" || field == "externalClusters" {
			continue
		}
		if got := after.At("spec", field); !reflect.DeepEqual(got, value) {
			t.Errorf("%s changes from %v to %v", field, value, got)
		}
	}
}

func TestRecoveryIsChecked(t *testing.T) {
	tests := map[string]struct {
		damage func(*hapostgres.Args)
		want   string
	}{
		"from nothing": {func(a *hapostgres.Args) { a.Recovery.From = "" }, "recovery.from: Required"},
		"from itself": {
			func(a *hapostgres.Args) { a.Recovery.From = a.Name },
			`recovery.name: Invalid value: "ai-agent-db-restored"`,
		},
		"into the default name from itself": {
			func(a *hapostgres.Args) { a.Name = "" },
			`recovery.name: Invalid value: "ai-agent-db"`,
		},
		"to a moment of no time zone": {
			func(a *hapostgres.Args) { a.Recovery.TargetTime = "2026-11-23T12:00:00" },
			`recovery.targetTime: Invalid value: "2026-11-23T12:00:00"`,
		},
		"to a day": {
			func(a *hapostgres.Args) { a.Recovery.TargetTime = "2026-11-23" },
			`recovery.targetTime: Invalid value: "2026-11-23"`,
		},
		"without a store": {func(a *hapostgres.Args) { a.Store = nil }, "recovery: Forbidden"},
		"into a standby": {
			func(a *hapostgres.Args) {
				a.Standby, a.Passwords = standbyArgs().Standby, standbyArgs().Passwords
			},
			"recovery: Forbidden",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := recoveryArgs()
			test.damage(&args)
			problems := args.Validate(nil)
			if len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), test.want) {
				t.Errorf("problems = %v, want one that starts with %s", problems, test.want)
			}
		})
	}
	for _, valid := range []string{"", "2026-11-23T12:00:00Z", moment} {
		args := recoveryArgs()
		args.Recovery.TargetTime = valid
		if problems := args.Validate(nil); len(problems) > 0 {
			t.Errorf("%q: %v", valid, problems)
		}
	}
}

// TestOperatorsDefinitions gives the objects of each kind of cluster to an API server with the operator's definitions.
func TestOperatorsDefinitions(t *testing.T) {
	server := strict.Start(t, strict.ModuleFolder(t, "../../local/toolchain/cloudnative-pg",
		"github.com/cloudnative-pg/cloudnative-pg", "config/crd/bases"))
	for name, args := range map[string]hapostgres.Args{
		"with a store": storeArgs(), "standby": standbyArgs(), "recovered": recoveryArgs(),
	} {
		t.Run(name, func(t *testing.T) {
			recording := pulumitest.UpRevealed(t, func(ctx *pulumi.Context) error {
				metadata := kube.Metadata{Name: args.Namespace}
				_, err := corev1.NewNamespace(ctx, "namespace", &corev1.NamespaceArgs{Metadata: metadata.Args()})
				return errors.Join(err, register(args)(ctx))
			})
			checked, err := server.Check(t.Context(), recording)
			if err != nil || checked == 0 {
				t.Errorf("%d objects checked: %v", checked, err)
			}
		})
	}
}
