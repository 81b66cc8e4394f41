package hapostgres_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/hapostgres"
	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

const scheduledBackupType = "kubernetes:postgresql.cnpg.io/v1:ScheduledBackup"

func TestArchive(t *testing.T) {
	keys := map[string]any{
		"accessKeyId":     map[string]any{"name": "object-store", "key": "access-key-id"},
		"secretAccessKey": map[string]any{"name": "object-store", "key": "secret-access-key"},
	}
	tests := map[string]struct {
		store       kube.ObjectStore
		endpoint    any
		credentials map[string]any
	}{
		"AWS with the identity of the pods": {
			store:       kube.ObjectStore{Region: "eu-west-1", Bucket: "b"},
			credentials: map[string]any{"inheritFromIAMRole": true},
		},
		"AWS with keys": {
			store:       kube.ObjectStore{Region: "eu-west-1", Bucket: "b", SecretName: pulumi.String("object-store")},
			credentials: keys,
		},
		"a store of one's own": {
			store: kube.ObjectStore{
				Endpoint: "http://s3.ns.svc:7070", Region: "eu-west-1", Bucket: "b",
				SecretName: pulumi.String("object-store"),
			},
			endpoint:    "http://s3.ns.svc:7070",
			credentials: keys,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := validArgs()
			args.Store = &test.store
			object := cluster(t, args)
			for field, want := range map[string]any{
				"destinationPath": "s3://b/postgres",
				"serverName":      "eu-west-1",
				"endpointURL":     test.endpoint,
				"s3Credentials":   test.credentials,
			} {
				if got := object.At("spec", "backup", "barmanObjectStore", field); !reflect.DeepEqual(got, want) {
					t.Errorf("%s = %v, want %v", field, got, want)
				}
			}
			env := []any{
				map[string]any{"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"},
				map[string]any{"name": "AWS_DEFAULTS_MODE", "value": "in-region"},
				map[string]any{"name": "AWS_MAX_ATTEMPTS", "value": "2"},
			}
			if got := object.At("spec", "env"); !reflect.DeepEqual(got, env) {
				t.Errorf("env = %v, want %v", got, env)
			}
		})
	}
}

func TestSecretNameThatIsNotKnownYet(t *testing.T) {
	recording := pulumitest.Preview(t, func(ctx *pulumi.Context) error {
		secret, err := kube.NewGeneratedSecret(ctx, "keys", kube.Metadata{}, "k")
		if err != nil {
			return err
		}
		args := storeArgs()
		args.Store.SecretName = secret.Metadata.Name().Elem()
		_, err = hapostgres.New(ctx, "db", args)
		return err
	})
	object := recording.Find(t, clusterType, "db")
	credentials := object.At("spec", "backup", "barmanObjectStore", "s3Credentials", "accessKeyId", "name")
	if credentials != pulumitest.Unknown || object.At("spec", "instances") != 3.0 {
		t.Errorf("name of the Secret = %v in %v, want it alone to be unknown", credentials, object.At("spec"))
	}
}

func TestScheduledBackup(t *testing.T) {
	object := pulumitest.Up(t, register(storeArgs())).Find(t, scheduledBackupType, "ai-agent-db-eu-west-1")
	for field, want := range map[string]any{
		"schedule":  "0 30 3 * * *",
		"immediate": true,
		"method":    "barmanObjectStore",
		"target":    "prefer-standby",
		"cluster":   map[string]any{"name": "ai-agent-db"},
	} {
		if got := object.At("spec", field); !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %v, want %v", field, got, want)
		}
	}
	if got := cluster(t, storeArgs()).At("spec", "backup", "retentionPolicy"); got != "7d" {
		t.Errorf("retentionPolicy = %v, want 7d", got)
	}
}

func TestNoBackupWithoutStore(t *testing.T) {
	recording := pulumitest.Up(t, register(validArgs()))
	if found := recording.OfType(scheduledBackupType); len(found) > 0 {
		t.Errorf("%s has nowhere to go", found[0].Name)
	}
	for _, field := range []string{"backup", "replica", "externalClusters"} {
		if got := cluster(t, validArgs()).At("spec", field); got != nil {
			t.Errorf("spec.%s = %v, want none", field, got)
		}
	}
}

func TestNetworkPolicy(t *testing.T) {
	policy := pulumitest.Up(t, register(storeArgs())).OfType("kubernetes:networking.k8s.io/v1:NetworkPolicy")[0]
	pods := map[string]any{"matchLabels": map[string]any{"cnpg.io/cluster": "ai-agent-db"}}
	if got := policy.At("spec", "podSelector"); !reflect.DeepEqual(got, pods) {
		t.Errorf("selects %v, want %v", got, pods)
	}
	allowed := func(direction, peers, port, label, value string) bool {
		rules, _ := policy.At("spec", direction).([]any)
		for i := range rules {
			list, _ := policy.At("spec", direction, i, peers).([]any)
			ports, _ := policy.At("spec", direction, i, "ports").([]any)
			for j := range list {
				for k := range ports {
					if policy.At("spec", direction, i, peers, j, "podSelector", "matchLabels", label) == value &&
						fmt.Sprint(policy.At("spec", direction, i, "ports", k, "port")) == port {
						return true
					}
				}
			}
		}
		return false
	}
	const name = "app.kubernetes.io/name"
	for _, test := range []struct {
		direction, peers, port, label, value string
		want                                 bool
	}{
		{"ingress", "from", "5432", name, "ai-agent-api", true},
		{"ingress", "from", "5432", name, "ai-agent-api-migrate", true},
		{"ingress", "from", "5432", name, "ai-agent-backup", true},
		{"ingress", "from", "5432", name, "ai-agent-redis", false},
		{"ingress", "from", "8000", name, "ai-agent-api", false},
		{"ingress", "from", "5432", name, "cloudnative-pg", true},
		{"ingress", "from", "8000", name, "cloudnative-pg", true},
		{"ingress", "from", "9187", name, "prometheus", true},
		{"ingress", "from", "5432", name, "prometheus", false},
		{"ingress", "from", "5432", "cnpg.io/cluster", "ai-agent-db", true},
		{"egress", "to", "5432", "cnpg.io/cluster", "ai-agent-db", true},
		{"egress", "to", "53", "k8s-app", "kube-dns", true},
	} {
		if got := allowed(test.direction, test.peers, test.port, test.label, test.value); got != test.want {
			t.Errorf("%s %s=%s at %s: %v, want %v", test.direction, test.label, test.value, test.port, got, test.want)
		}
	}
}
