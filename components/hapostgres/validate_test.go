package hapostgres_test

import (
	"strings"
	"testing"

	"agentstack/components/hapostgres"
	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

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

// TestSettingsAreChecked damages valid settings in one place and wants one problem there, with the way out of it.
func TestSettingsAreChecked(t *testing.T) {
	limit := func(request, limit string) kube.Resources {
		return kube.Resources{
			Requests: kube.ResourceList{CPU: "1", Memory: request}, Limits: kube.ResourceList{Memory: limit},
		}
	}
	parameters := func(name, value string) hapostgres.Settings {
		return hapostgres.Settings{Parameters: map[string]string{name: value}}
	}
	tests := map[string]struct {
		settings hapostgres.Settings
		want     []string
	}{
		"two instances wait for each other": {
			hapostgres.Settings{Instances: 2},
			[]string{"synchronousReplicas: Invalid value: 1", "at least 3 instances", "dataDurability to preferred"},
		},
		"every replica has to confirm": {
			hapostgres.Settings{SynchronousReplicas: 2},
			[]string{"synchronousReplicas: Invalid value: 2", "at least 4 instances"},
		},
		"more confirmations than replicas": {
			hapostgres.Settings{SynchronousReplicas: 3, DataDurability: "preferred"},
			[]string{"synchronousReplicas: Invalid value: 3", "at most 2"},
		},
		"negative confirmations": {
			hapostgres.Settings{SynchronousReplicas: -1},
			[]string{"synchronousReplicas: Invalid value: -1"},
		},
		"name with capitals": {hapostgres.Settings{Name: "DB"}, []string{`name: Invalid value: "DB"`, "lower case"}},
		"name that begins with a digit": {
			hapostgres.Settings{Name: "1db"}, []string{`name: Invalid value: "1db"`, "begin with a letter"},
		},
		"long name": {
			hapostgres.Settings{Name: strings.Repeat("a", 51)}, []string{"name: Invalid value", "at most 50"},
		},
		"data on too small a volume": {
			hapostgres.Settings{Storage: hapostgres.Storage{Size: "1023Mi"}},
			[]string{`storage.size: Invalid value: "1023Mi"`, "at least 1Gi"},
		},
		"WAL on too small a volume": {
			hapostgres.Settings{Storage: hapostgres.Storage{WALSize: "512Mi"}},
			[]string{`storage.walSize: Invalid value: "512Mi"`, "at least 1Gi"},
		},
		"too little memory": {
			hapostgres.Settings{Resources: limit("64Mi", "128Mi")},
			[]string{`resources.limits.memory: Invalid value: "128Mi"`, "at least 256Mi"},
		},
		"password of version -1": {
			hapostgres.Settings{PasswordVersion: -1}, []string{"passwordVersion: Invalid value: -1", "at least 1"},
		},
		"a pool that a drain takes away": {
			hapostgres.Settings{Pooler: hapostgres.Pooler{Instances: 1}},
			[]string{"pooler.instances: Invalid value: 1", "at least 2"},
		},
		"a negative pool": {
			hapostgres.Settings{Instances: 1, Pooler: hapostgres.Pooler{Instances: -1}},
			[]string{"pooler.instances: Invalid value: -1", "at least 1"},
		},
		"more pools than connections": {
			hapostgres.Settings{Pooler: hapostgres.Pooler{Instances: 60}},
			[]string{"pooler.instances: Invalid value: 60", "max_connections, which is 200"},
		},
		"a pool for nobody": {
			hapostgres.Settings{Pooler: hapostgres.Pooler{MaxClients: -5}},
			[]string{"pooler.maxClients: Invalid value: -5"},
		},
		"resources of a pool": {
			hapostgres.Settings{Pooler: hapostgres.Pooler{Resources: limit("64Mi", "32Mi")}},
			[]string{`pooler.resources.requests.memory: Invalid value: "64Mi"`},
		},
		"a size without a unit": {
			parameters("work_mem", "4096"), []string{`parameters[work_mem]: Invalid value: "4096"`, "units kB, MB, GB"},
		},
		"a size with a unit of Kubernetes": {
			parameters("shared_buffers", "1Gi"), []string{`parameters[shared_buffers]: Invalid value: "1Gi"`},
		},
		"a number that is none": {
			parameters("max_connections", "many"), []string{`parameters[max_connections]: Invalid value: "many"`},
		},
		"too few connections": {
			parameters("max_connections", "20"), []string{`parameters[max_connections]`, "at least 40"},
		},
		"memory of sorts": {
			parameters("work_mem", "64MB"),
			[]string{`parameters: Invalid value: "13824MB"`, "work_mem (64MB)", "memory limit of 4Gi"},
		},
		"shared buffers beyond the request": {
			parameters("shared_buffers", "2GB"),
			[]string{`parameters[shared_buffers]: Invalid value: "2GB"`, "requested memory of 1Gi"},
		},
		"WAL beyond its volume": {
			parameters("max_wal_size", "5GB"), []string{`parameters[max_wal_size]`, "less than storage.walSize"},
		},
		"least WAL beyond the most": {
			parameters("min_wal_size", "4GB"), []string{`parameters[min_wal_size]`, "less than max_wal_size"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			problems := test.settings.Validate(nil)
			if len(problems) != 1 {
				t.Fatalf("problems = %v, want one", problems)
			}
			for _, want := range test.want {
				if !strings.Contains(problems[0].Error(), want) {
					t.Errorf("problem %q does not contain %q", problems[0], want)
				}
			}
		})
	}
}

// Shared buffers beyond the limit are reported, and not reckoned with.
func TestParametersBeyondTheLimit(t *testing.T) {
	settings := hapostgres.Settings{Parameters: map[string]string{"shared_buffers": "8GB"}}
	if problems := settings.Validate(nil); len(problems) != 2 {
		t.Errorf("problems = %v, want that of the limit and that of the request", problems)
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
