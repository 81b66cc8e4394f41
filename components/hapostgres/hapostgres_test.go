package hapostgres_test

import (
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
}

func TestSynchronousReplication(t *testing.T) {
	tests := map[string]struct {
		settings   hapostgres.Settings
		number     any
		durability any
		quorum     any
	}{
		"default":            {hapostgres.Settings{}, 1.0, "required", true},
		"two confirmations":  {hapostgres.Settings{SynchronousReplicas: 2}, 2.0, "required", true},
		"availability first": {hapostgres.Settings{DataDurability: "preferred"}, 1.0, "preferred", false},
		"a single instance":  {hapostgres.Settings{Instances: 1}, nil, nil, nil},
		"a single replica":   {hapostgres.Settings{Instances: 2}, 1.0, "required", true},
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
	for _, field := range []string{"wal", "updateStrategy", "monitoring"} {
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

func TestBadArgumentsRegisterNothing(t *testing.T) {
	args := hapostgres.Args{Store: &kube.ObjectStore{Endpoint: "s3.example.com"}, Settings: hapostgres.Settings{
		Image:               "postgres:latest",
		Instances:           -1,
		SynchronousReplicas: 1,
		DataDurability:      "eventually",
		Storage:             hapostgres.Storage{Size: "big", WALSize: "-1Gi"},
		Backup:              hapostgres.Backup{Schedule: "0 2 * * *", RetentionDays: -1},
		Resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "1", Memory: "2Gi"},
			Limits:   kube.ResourceList{Memory: "1Gi"},
		},
	}}
	recording, err := pulumitest.Run(register(args), false)
	if err == nil {
		t.Fatal("bad arguments were accepted")
	}
	for _, want := range []string{
		"namespace: Required", "region: Required", `image: Invalid value: "postgres:latest"`,
		"instances: Invalid value: -1", "synchronousReplicas: Invalid value: 1",
		`backup.schedule: Invalid value: "0 2 * * *"`, "backup.retentionDays: Invalid value: -1",
		`store.endpoint: Invalid value: "s3.example.com"`, "store.bucket: Required", "store.region: Required",
		`dataDurability: Unsupported value: "eventually"`, `storage.size: Invalid value: "big"`,
		`storage.walSize: Invalid value: "-1Gi"`, `resources.requests.memory: Invalid value: "2Gi"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not contain %q:\n%v", want, err)
		}
	}
	if len(recording.Resources) > 0 {
		t.Errorf("registered %v", recording.References())
	}
}

func TestImage(t *testing.T) {
	for image, valid := range map[string]bool{
		hapostgres.DefaultImage:                                                  true,
		"registry.example.com:5000/postgresql:17.7-system-trixie":                true,
		"ghcr.io/cloudnative-pg/postgresql:18@sha256:" + strings.Repeat("0", 64): true,
		"ghcr.io/cloudnative-pg/postgresql:16.1":                                 false,
		"ghcr.io/cloudnative-pg/postgresql:latest":                               false,
		"ghcr.io/cloudnative-pg/postgresql":                                      false,
	} {
		problems := hapostgres.Settings{Image: image}.Validate(nil)
		if got := len(problems) == 0; got != valid {
			t.Errorf("%q valid: %v, want %v (%v)", image, got, valid, problems)
		}
	}
}
