package hapostgres_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/hapostgres"
	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

const clusterType = "kubernetes:postgresql.cnpg.io/v1:Cluster"

func validArgs() hapostgres.Args {
	return hapostgres.Args{
		Namespace: "ai-agent",
		Region:    "eu-west-1",
		Settings: hapostgres.Settings{
			Storage:    hapostgres.Storage{Class: "ssd", Size: "100Gi", WALSize: "10Gi"},
			Parameters: map[string]string{"shared_buffers": "1GB"},
		},
	}
}

func storeArgs() hapostgres.Args {
	args := validArgs()
	args.Store = &kube.ObjectStore{
		Endpoint:   "http://object-store.ai-agent.svc:7070",
		Region:     "us-east-1",
		Bucket:     "backups",
		SecretName: pulumi.String("object-store"),
	}
	args.Backup = hapostgres.Backup{Schedule: "0 30 3 * * *", RetentionDays: 7}
	return args
}

func register(args hapostgres.Args) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		_, err := hapostgres.New(ctx, "ai-agent-db-eu-west-1", args)
		return err
	}
}

func cluster(t *testing.T, args hapostgres.Args) pulumitest.Resource {
	t.Helper()
	return pulumitest.Up(t, register(args)).Find(t, clusterType, "ai-agent-db-eu-west-1")
}

func TestRegisteredObjects(t *testing.T) {
	pulumitest.Up(t, register(validArgs())).Golden(t, "up")
	pulumitest.Preview(t, register(validArgs())).Golden(t, "preview")
	minimal := hapostgres.Args{Namespace: "ai-agent", Region: "eu-west-1"}
	pulumitest.Up(t, register(minimal)).Golden(t, "defaults")
	pulumitest.Up(t, register(storeArgs())).Golden(t, "store")
	pulumitest.Preview(t, register(storeArgs())).Golden(t, "store-preview")
	pulumitest.Up(t, register(standbyArgs())).Golden(t, "standby")
	pulumitest.Up(t, register(guardArgs())).Golden(t, "guard")
}

func TestSynchronousReplication(t *testing.T) {
	tests := map[string]struct {
		settings   hapostgres.Settings
		number     any
		durability any
		quorum     any
	}{
		"default":            {hapostgres.Settings{}, 1.0, "required", true},
		"two confirmations":  {hapostgres.Settings{Instances: 4, SynchronousReplicas: 2}, 2.0, "required", true},
		"availability first": {hapostgres.Settings{DataDurability: "preferred"}, 1.0, "preferred", false},
		"a single instance":  {hapostgres.Settings{Instances: 1}, nil, nil, nil},
		"a single replica":   {hapostgres.Settings{Instances: 2, DataDurability: "preferred"}, 1.0, "preferred", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := validArgs()
			args.Settings = test.settings
			object := cluster(t, args)
			for field, want := range map[string]any{
				"number": test.number, "dataDurability": test.durability, "failoverQuorum": test.quorum,
			} {
				if got := object.At("spec", "postgresql", "synchronous", field); got != want {
					t.Errorf("%s = %v, want %v", field, got, want)
				}
			}
		})
	}
}

// TestNoFieldsThatTheOperatorDoesNotKnow names fields that are often written and that CloudNativePG does
// not have.
func TestNoFieldsThatTheOperatorDoesNotKnow(t *testing.T) {
	object := cluster(t, validArgs())
	for _, field := range []string{"wal", "updateStrategy"} {
		if got := object.At("spec", field); got != nil {
			t.Errorf("spec.%s = %v", field, got)
		}
	}
}

func TestStoppingThePrimaryIsFast(t *testing.T) {
	object := cluster(t, validArgs())
	smart, _ := object.At("spec", "smartShutdownTimeout").(float64)
	stop, _ := object.At("spec", "stopDelay").(float64)
	if object.At("spec", "smartShutdownTimeout") == nil || smart >= stop {
		t.Errorf("smartShutdownTimeout = %v, stopDelay = %v: nothing is left for a fast shutdown", smart, stop)
	}
	if stop > 60 {
		t.Errorf("stopDelay = %v s, want at most 60", stop)
	}
}

func TestWaitsUntilReady(t *testing.T) {
	if got := cluster(t, validArgs()).At("metadata", "annotations", "pulumi.com/waitFor"); got != "condition=Ready" {
		t.Errorf("pulumi.com/waitFor = %v, want condition=Ready", got)
	}
}

// Who logs in does so with a password and TLS, and nobody as the owner of the tables. The operator's own rules come
// before these, and its last one, which asks for no TLS, after them.
func TestWhoMayConnect(t *testing.T) {
	want := []any{
		"hostssl all ai_agent all reject", "hostssl all all all scram-sha-256", "hostnossl all all all reject",
	}
	if got := cluster(t, validArgs()).At("spec", "postgresql", "pg_hba"); !reflect.DeepEqual(got, want) {
		t.Errorf("pg_hba = %v, want %v", got, want)
	}
	if got := cluster(t, validArgs()).At("spec", "enableSuperuserAccess"); got != false {
		t.Errorf("enableSuperuserAccess = %v", got)
	}
}

func TestDrains(t *testing.T) {
	args := validArgs()
	object := cluster(t, args)
	if object.At("spec", "enablePDB") != true || object.At("spec", "nodeMaintenanceWindow") != nil {
		t.Errorf("enablePDB = %v, nodeMaintenanceWindow = %v, want true and none",
			object.At("spec", "enablePDB"), object.At("spec", "nodeMaintenanceWindow"))
	}
	args.Maintenance = true
	want := map[string]any{"inProgress": true, "reusePVC": true}
	if got := cluster(t, args).At("spec", "nodeMaintenanceWindow"); !reflect.DeepEqual(got, want) {
		t.Errorf("nodeMaintenanceWindow = %v, want %v", got, want)
	}
}

func TestInstancesAreSpread(t *testing.T) {
	object := cluster(t, validArgs())
	pods := map[string]any{"cnpg.io/cluster": "ai-agent-db", "cnpg.io/podRole": "instance"}
	for i, topology := range []string{"topology.kubernetes.io/zone", "kubernetes.io/hostname"} {
		want := map[string]any{
			"maxSkew": 1.0, "topologyKey": topology, "whenUnsatisfiable": "ScheduleAnyway",
			"labelSelector": map[string]any{"matchLabels": pods},
		}
		if got := object.At("spec", "topologySpreadConstraints", i); !reflect.DeepEqual(got, want) {
			t.Errorf("constraint %d = %v, want %v", i, got, want)
		}
	}
}

// Every name derives from the cluster's, so that two live in one namespace.
func TestNames(t *testing.T) {
	args := storeArgs()
	args.Name = "other"
	for _, object := range pulumitest.Up(t, register(args)).Resources {
		name, named := object.At("metadata", "name").(string)
		if named && name != "other" && !strings.HasPrefix(name, "other-") {
			t.Errorf("%s is named %s", object.Type, name)
		}
	}
}
