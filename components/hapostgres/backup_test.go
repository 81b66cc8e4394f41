package hapostgres_test

import (
	"fmt"
	"reflect"
	"strings"
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
				"destinationPath": "s3://b/postgres/eu-west-1",
				"serverName":      "ai-agent-db-17",
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

func TestProcessesOfTheArchive(t *testing.T) {
	for cpu, want := range map[string]any{"350m": 1.0, "1": 1.0, "1500m": 2.0, "4": 4.0} {
		args := validArgs()
		args.Store = &kube.ObjectStore{Region: "eu-west-1", Bucket: "b"}
		args.Resources = kube.Resources{
			Requests: kube.ResourceList{CPU: cpu, Memory: "4Gi"}, Limits: kube.ResourceList{Memory: "4Gi"},
		}
		if got := cluster(t, args).At("spec", "backup", "barmanObjectStore", "wal", "maxParallel"); got != want {
			t.Errorf("with %s of CPU %v processes, want %v", cpu, got, want)
		}
	}
}

// An upgraded cluster begins a new archive.
func TestArchiveOfAnotherVersion(t *testing.T) {
	args := storeArgs()
	args.Image = "ghcr.io/cloudnative-pg/postgresql:18.4-system-trixie@sha256:" + strings.Repeat("0", 64)
	if got := cluster(t, args).At("spec", "backup", "barmanObjectStore", "serverName"); got != "ai-agent-db-18" {
		t.Errorf("PostgreSQL 18 archives as %v, want ai-agent-db-18", got)
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

func TestNetworkPolicies(t *testing.T) {
	recording := pulumitest.Up(t, register(storeArgs()))
	policies := map[string]pulumitest.Resource{}
	for policy, selected := range map[string]map[string]any{
		"ai-agent-db-eu-west-1":        {"cnpg.io/cluster": "ai-agent-db", "app.kubernetes.io/component": "database"},
		"ai-agent-db-eu-west-1-pooler": {"cnpg.io/cluster": "ai-agent-db", "cnpg.io/podRole": "pooler"},
	} {
		policies[policy] = recording.Find(t, "kubernetes:networking.k8s.io/v1:NetworkPolicy", policy)
		if got := policies[policy].At("spec", "podSelector", "matchLabels"); !reflect.DeepEqual(got, selected) {
			t.Errorf("%s selects %v, want %v", policy, got, selected)
		}
	}
	allowed := func(policy pulumitest.Resource, direction, peers, port, label, value string) bool {
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
	const (
		instances = "ai-agent-db-eu-west-1"
		pools     = "ai-agent-db-eu-west-1-pooler"
		name      = "app.kubernetes.io/name"
		role      = "cnpg.io/podRole"
		component = "app.kubernetes.io/component"
	)
	for _, test := range []struct {
		policy, direction, peers, port, label, value string
		want                                         bool
	}{
		{instances, "ingress", "from", "5432", name, "ai-agent-api", false},
		{instances, "ingress", "from", "5432", name, "ai-agent-api-migrate", true},
		{instances, "ingress", "from", "5432", name, "ai-agent-backup", true},
		{instances, "ingress", "from", "5432", role, "pooler", true},
		{instances, "ingress", "from", "8000", role, "pooler", false},
		{instances, "ingress", "from", "5432", name, "ai-agent-redis", false},
		{instances, "ingress", "from", "8000", name, "ai-agent-backup", false},
		{instances, "ingress", "from", "5432", name, "cloudnative-pg", true},
		{instances, "ingress", "from", "8000", name, "cloudnative-pg", true},
		{instances, "ingress", "from", "9187", name, "prometheus", true},
		{instances, "ingress", "from", "5432", name, "prometheus", false},
		{instances, "ingress", "from", "5432", component, "database", true},
		{instances, "egress", "to", "5432", component, "database", true},
		{instances, "egress", "to", "53", "k8s-app", "kube-dns", true},
		{pools, "ingress", "from", "5432", name, "ai-agent-api", true},
		{pools, "ingress", "from", "5432", name, "ai-agent-api-migrate", false},
		{pools, "ingress", "from", "9127", name, "prometheus", true},
		{pools, "egress", "to", "5432", component, "database", true},
		{pools, "egress", "to", "8000", component, "database", false},
		{pools, "egress", "to", "53", "k8s-app", "kube-dns", true},
	} {
		got := allowed(policies[test.policy], test.direction, test.peers, test.port, test.label, test.value)
		if got != test.want {
			t.Errorf("%s: %s %s=%s at %s: %v, want %v", test.policy, test.direction, test.label, test.value, test.port,
				got, test.want)
		}
	}
}
