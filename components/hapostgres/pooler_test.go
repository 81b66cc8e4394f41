package hapostgres_test

import (
	"reflect"
	"strconv"
	"testing"

	"agentstack/components/hapostgres"
	"agentstack/internal/pulumitest"
)

const poolerType = "kubernetes:postgresql.cnpg.io/v1:Pooler"

func TestPools(t *testing.T) {
	recording := pulumitest.Up(t, register(validArgs()))
	for suffix, kind := range map[string]string{"-pooler-rw": "rw", "-pooler-ro": "ro"} {
		object := recording.Find(t, poolerType, "ai-agent-db-eu-west-1"+suffix)
		name := "ai-agent-db" + suffix
		if got := object.At("metadata", "name"); got != name {
			t.Errorf("named %v, want %s", got, name)
		}
		for field, want := range map[string]any{
			"cluster":   map[string]any{"name": "ai-agent-db"},
			"type":      kind,
			"instances": 2.0,
			"deploymentStrategy": map[string]any{
				"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": 1.0, "maxUnavailable": 0.0},
			},
		} {
			if got := object.At("spec", field); !reflect.DeepEqual(got, want) {
				t.Errorf("%s of %s = %v, want %v", field, name, got, want)
			}
		}
		for parameter, want := range map[string]string{
			"client_tls_sslmode": "require", "server_tls_sslmode": "verify-full", "max_client_conn": "1000",
			"server_login_retry": "1", "query_wait_timeout": "30",
		} {
			if got := object.At("spec", "pgbouncer", "parameters", parameter); got != want {
				t.Errorf("%s of %s = %v, want %s", parameter, name, got, want)
			}
		}
		hba := []any{"hostssl all all all scram-sha-256", "hostnossl all all all reject"}
		if got := object.At("spec", "pgbouncer", "pg_hba"); !reflect.DeepEqual(got, hba) {
			t.Errorf("pg_hba of %s = %v, want %v", name, got, hba)
		}
		annotations := map[string]any{"prometheus.io/scrape": "true", "prometheus.io/port": "9127"}
		if got := object.At("spec", "template", "metadata", "annotations"); !reflect.DeepEqual(got, annotations) {
			t.Errorf("annotations of %s = %v, want %v", name, got, annotations)
		}
		budget := recording.Find(t, "kubernetes:policy/v1:PodDisruptionBudget", "ai-agent-db-eu-west-1"+suffix)
		if budget.At("spec", "maxUnavailable") != 1.0 ||
			budget.At("spec", "selector", "matchLabels", "cnpg.io/poolerName") != name {
			t.Errorf("budget of %s = %v", name, budget.At("spec"))
		}
	}
}

// TestPoolsFitIntoTheServer reckons with the worst case: both pools are rolled out at once, and all of their pods have
// every connection open to one instance, with one more for passwords.
func TestPoolsFitIntoTheServer(t *testing.T) {
	for name, settings := range map[string]hapostgres.Settings{
		"default":         {},
		"the least":       sized("256Mi", "256Mi", "1Gi"),
		"the local cloud": sized("256Mi", "512Mi", "2Gi"),
		"many pods":       {Pooler: hapostgres.Pooler{Instances: 10}},
		"one's own limit": {Parameters: map[string]string{"max_connections": "120"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := validArgs()
			args.Settings = settings
			recording := pulumitest.Up(t, register(args))
			number := func(value any) int {
				text, _ := value.(string)
				parsed, err := strconv.Atoi(text)
				if err != nil {
					t.Fatalf("read number: %v", err)
				}
				return parsed
			}
			sum := 0
			for _, pool := range recording.OfType(poolerType) {
				size := number(pool.At("spec", "pgbouncer", "parameters", "max_db_connections"))
				if size < 1 || number(pool.At("spec", "pgbouncer", "parameters", "default_pool_size")) != size {
					t.Errorf("%s opens %d connections, and as many for one role", pool.Name, size)
				}
				pods, _ := pool.At("spec", "instances").(float64)
				sum += (int(pods) + 1) * (size + 1)
			}
			object := recording.Find(t, clusterType, "ai-agent-db-eu-west-1")
			limit := number(object.At("spec", "postgresql", "parameters", "max_connections"))
			if rest := limit - sum; rest < 16 {
				t.Errorf("%d of %d connections are left to others, want at least 16", rest, limit)
			}
		})
	}
}

// There is no replica, so reads go to the one instance.
func TestPoolsOfOneInstance(t *testing.T) {
	args := validArgs()
	args.Settings = hapostgres.Settings{Instances: 1}
	recording := pulumitest.Up(t, register(args))
	for suffix, kind := range map[string]string{"-pooler-rw": "rw", "-pooler-ro": "r"} {
		object := recording.Find(t, poolerType, "ai-agent-db-eu-west-1"+suffix)
		if got := object.At("spec", "type"); got != kind {
			t.Errorf("%s has type %v, want %s", suffix, got, kind)
		}
		if got := object.At("spec", "instances"); got != 1.0 {
			t.Errorf("%s has %v instances, want 1", suffix, got)
		}
	}
}

// Clients verify the name of the pool that they connect to against the certificate of the instances.
func TestCertificateNamesThePools(t *testing.T) {
	names, _ := cluster(t, validArgs()).At("spec", "certificates", "serverAltDNSNames").([]any)
	for _, want := range []any{"ai-agent-db-pooler-rw.ai-agent", "ai-agent-db-pooler-ro.ai-agent"} {
		found := false
		for _, name := range names {
			found = found || name == want
		}
		if !found {
			t.Errorf("%v is not among %v", want, names)
		}
	}
}

// The pools have no business with the store.
func TestPoolsDoNotReachTheStore(t *testing.T) {
	policy := func(args hapostgres.Args) any {
		return pulumitest.Up(t, register(args)).
			Find(t, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "ai-agent-db-eu-west-1-pooler").At("spec")
	}
	if with, without := policy(storeArgs()), policy(validArgs()); !reflect.DeepEqual(with, without) {
		t.Errorf("the policy of the pools depends on the store: %v", with)
	}
}
